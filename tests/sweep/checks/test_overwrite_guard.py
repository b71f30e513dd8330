"""Devices and files that an adapter would overwrite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from shipped import point

from l2sweep.config.point import PointConfig
from l2sweep.sweep.checks import overwrite_guard
from l2sweep.sweep.checks.overwrite_guard import overwrite_problems, record_owned_files

BASE = point()
WARNING = "the adapter would overwrite it (set allow_destructive=true to allow that)"


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """Return the path of a file that an adapter is to take as a whole."""
    return tmp_path / "device"


@pytest.fixture
def results_dir(tmp_path: Path) -> str:
    return str(tmp_path / "results")


def raw_block(path: Path, **changes: bool) -> PointConfig:
    return replace(BASE, adapter_spec={"type": "raw_block", "device_path": str(path)}, **changes)


def test_a_file_with_content_is_a_problem_once(device: Path, results_dir: str) -> None:
    device.write_text("foreign")
    points = [raw_block(device), replace(raw_block(device), num_keys=4)]
    assert overwrite_problems(points, results_dir) == [f"{device} is a file that holds 7 bytes: {WARNING}"]
    assert not Path(results_dir).exists()


def test_a_file_that_is_empty_or_missing_is_no_problem(device: Path, results_dir: str) -> None:
    assert overwrite_problems([raw_block(device)], results_dir) == []
    device.touch()
    assert overwrite_problems([raw_block(device)], results_dir) == []


def test_a_file_may_be_overwritten_with_permission(device: Path, results_dir: str) -> None:
    device.write_text("foreign")
    assert overwrite_problems([raw_block(device, allow_destructive=True)], results_dir) == []


def test_an_adapter_that_overwrites_nothing_may_use_a_folder_with_other_files(
    tmp_path: Path, results_dir: str
) -> None:
    (tmp_path / "other").write_text("foreign")
    folder = replace(BASE, adapter_spec={"type": "fs", "base_path": str(tmp_path)})
    assert overwrite_problems([folder], results_dir) == []
    record_owned_files([folder], results_dir)
    assert not Path(results_dir).exists()


def test_a_recorded_file_may_be_overwritten(device: Path, results_dir: str) -> None:
    device.write_text("filled by l2sweep")
    record_owned_files([raw_block(device)], results_dir)
    assert overwrite_problems([raw_block(device)], results_dir) == []


def test_a_file_that_was_recorded_before_it_existed_may_be_overwritten(
    device: Path, results_dir: str
) -> None:
    record_owned_files([raw_block(device)], results_dir)
    device.write_text("filled by l2sweep")
    assert overwrite_problems([raw_block(device)], results_dir) == []


def test_an_entry_of_another_host_or_another_inode_or_a_damaged_record_protects_the_file(
    device: Path, results_dir: str
) -> None:
    device.write_text("filled by l2sweep")
    record_owned_files([raw_block(device)], results_dir)
    record = Path(results_dir) / "owned_files.json"
    ((path, (host, inode)),) = json.loads(record.read_text()).items()
    for damaged in (
        json.dumps({path: ["another-host", inode]}),
        json.dumps({path: [host, inode + 1]}),
        '{"half',
        "null",
    ):
        record.write_text(damaged)
        assert len(overwrite_problems([raw_block(device)], results_dir)) == 1, damaged


def test_a_record_keeps_the_entries_of_earlier_sweeps(device: Path, results_dir: str) -> None:
    other = device.with_name("other")
    for path in (device, other):
        path.write_text("filled by l2sweep")
        record_owned_files([raw_block(path)], results_dir)
    assert overwrite_problems([raw_block(device), raw_block(other)], results_dir) == []
    assert [path.name for path in Path(results_dir).iterdir()] == ["owned_files.json"]


LSBLK = {
    "fstype": "ext4",
    "pttype": None,
    "mountpoint": None,
    "children": [{"mountpoint": "/data"}, {"mountpoint": None}],
}


@pytest.mark.parametrize(
    ("lsblk", "blkid", "content"),
    [
        ("", "", ""),
        ({"fstype": None, "pttype": None, "mountpoint": None}, "", ""),
        (LSBLK, "", " with a ext4 file system, 2 partitions, a mount on /data"),
        ({"mountpoint": "/mnt"}, "TYPE=xfs\nUSAGE=filesystem\n", " with a xfs file system, a mount on /mnt"),
        ("", "PTTYPE=gpt\n", " with a gpt partition table"),
    ],
)
def test_a_block_device_is_described_and_never_owned(
    monkeypatch: pytest.MonkeyPatch,
    device: Path,
    results_dir: str,
    lsblk: dict[str, object] | str,
    blkid: str,
    content: str,
) -> None:
    output = {"lsblk": json.dumps({"blockdevices": [lsblk]}) if lsblk else "", "blkid": blkid}
    monkeypatch.setattr(overwrite_guard, "_output_of", lambda *command: output[command[0]])
    monkeypatch.setattr(Path, "is_block_device", lambda self: self == device)
    record_owned_files([raw_block(device)], results_dir)
    assert not Path(results_dir).exists()
    (problem,) = overwrite_problems([raw_block(device)], results_dir)
    assert problem == f"{device} is a block device{content}: {WARNING}"
    assert overwrite_problems([raw_block(device, allow_destructive=True)], results_dir) == []


def test_the_output_of_a_program_that_fails_or_is_not_installed_is_empty() -> None:
    assert overwrite_guard._output_of("echo", "text") == "text\n"
    assert overwrite_guard._output_of("false") == ""
    assert overwrite_guard._output_of("l2sweep-no-such-program") == ""
