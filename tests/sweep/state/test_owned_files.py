"""The list of the files that l2sweep filled."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from l2sweep.records.owner import Host
from l2sweep.sweep.state import owned_files
from l2sweep.sweep.state.owned_files import FileIdentity, OwnedFileRecorder, OwnedFiles


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """Return the path of a file that an adapter takes as a whole."""
    return tmp_path / "device"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def without_creation_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a file system that does not report when a file was created."""
    monkeypatch.setattr(owned_files, "_created_ns", lambda path: None)


def fill(device: Path, results: Path, content: str = "filled by l2sweep") -> None:
    recorder = OwnedFileRecorder(str(device), str(results))
    device.write_text(content)
    recorder.record()


def is_owned(device: Path, results: Path) -> bool:
    return OwnedFiles.load(str(results)).contains(device)


def test_a_file_that_was_created_after_the_start_is_owned(device: Path, results: Path) -> None:
    fill(device, results)
    assert is_owned(device, results)
    assert [path.name for path in results.iterdir()] == ["owned_files.json"]


def test_a_file_that_was_there_before_and_is_still_there_is_owned(device: Path, results: Path) -> None:
    device.touch()
    fill(device, results)
    assert is_owned(device, results)


def test_a_missing_file_is_not_recorded(device: Path, results: Path) -> None:
    OwnedFileRecorder(str(device), str(results)).record()
    OwnedFileRecorder(None, str(results)).record()
    device.write_text("foreign")
    assert not is_owned(device, results)


def test_a_file_that_was_replaced_during_the_point_is_not_recorded(device: Path, results: Path) -> None:
    device.touch()
    recorder = OwnedFileRecorder(str(device), str(results))
    other = device.with_name("other")
    other.write_text("foreign")
    other.replace(device)
    recorder.record()
    assert not is_owned(device, results)


def test_another_file_with_the_same_path_and_inode_is_foreign(device: Path, results: Path) -> None:
    fill(device, results)
    record = results / "owned_files.json"
    ((path, entry),) = json.loads(record.read_text()).items()
    assert entry == asdict(FileIdentity.of(device))  # type: ignore[call-overload]
    record.write_text(json.dumps({path: {**entry, "created_ns": entry["created_ns"] - 1}}))
    assert not is_owned(device, results)


def test_a_changed_file_is_still_owned_by_its_creation_time(device: Path, results: Path) -> None:
    fill(device, results)
    device.write_text("changed")
    os.utime(device)
    assert is_owned(device, results)


def test_without_a_creation_time_a_changed_file_is_foreign(
    device: Path, results: Path, without_creation_time: None
) -> None:
    fill(device, results)
    assert is_owned(device, results)
    device.chmod(0o600)  # changes st_ctime, as every write does
    assert not is_owned(device, results)


def test_a_creation_time_that_appears_later_proves_nothing(device: Path, results: Path) -> None:
    fill(device, results)
    now = FileIdentity.of(device)
    assert now is not None
    assert not replace(now, created_ns=None).is_same_file(now)


@pytest.mark.parametrize("change", [{"host": "another"}, {"device": 0}, {"inode": 0}])
def test_each_part_of_the_identity_counts(device: Path, change: dict[str, Any]) -> None:
    device.touch()
    now = FileIdentity.of(device)
    assert now is not None
    assert now.is_same_file(now)
    assert not replace(now, **change).is_same_file(now)


@pytest.mark.parametrize("inode", [None, "its own"])
def test_an_entry_of_an_earlier_release_matches_nothing(device: Path, results: Path, inode: object) -> None:
    device.write_text("foreign")
    entry = [Host.here().name, device.stat().st_ino if inode else None]
    (results / "owned_files.json").write_text(json.dumps({str(device): entry}))
    assert not is_owned(device, results)


@pytest.mark.parametrize("content", ["{", "[]", "null", "3", '{"/a": null}', "[" * 100_000])
def test_a_damaged_list_owns_nothing(device: Path, results: Path, content: str) -> None:
    (results / "owned_files.json").write_text(content)
    device.touch()
    assert not is_owned(device, results)


def test_the_list_keeps_earlier_entries(device: Path, results: Path) -> None:
    other = device.with_name("other")
    for path in (device, other):
        fill(path, results)
    assert is_owned(device, results)
    assert is_owned(other, results)


def test_a_planted_temporary_name_is_not_written_through(device: Path, results: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    host = Host.here()
    system = f"{host.name.replace('.', '_')}-{host.machine_id[:8]}"
    (results / f".owned_files.json.{system}.{host.boot_id[:8]}.tmp").symlink_to(precious)
    fill(device, results)
    assert precious.read_text() == "precious"


def test_a_list_that_is_not_trusted_is_neither_read_nor_replaced(device: Path, results: Path) -> None:
    fill(device, results)
    results.chmod(0o777)
    before = (results / "owned_files.json").read_bytes()
    assert not is_owned(device, results)
    fill(device, results, "again")
    assert (results / "owned_files.json").read_bytes() == before
