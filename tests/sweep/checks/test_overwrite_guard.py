"""Devices and files that an adapter would overwrite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from shipped import point

from l2sweep.config.point import PointConfig
from l2sweep.sweep.checks import overwrite_guard
from l2sweep.sweep.checks.overwrite_guard import overwrite_problems
from l2sweep.sweep.state.owned_files import OwnedFileRecorder

BASE = point()
WARNING = "the adapter would overwrite it (set allow_destructive=true to allow that)"


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """Return the path of a file that an adapter is to take as a whole."""
    return tmp_path / "device"


@pytest.fixture
def results_dir(tmp_path: Path) -> str:
    (tmp_path / "results").mkdir(mode=0o755)
    return str(tmp_path / "results")


def raw_block(path: Path, **changes: bool) -> PointConfig:
    return replace(BASE, adapter_spec={"type": "raw_block", "device_path": str(path)}, **changes)


def test_a_file_with_content_is_a_problem_once(device: Path, results_dir: str) -> None:
    device.write_text("foreign")
    points = [raw_block(device), replace(raw_block(device), num_keys=4)]
    assert overwrite_problems(points, results_dir) == [f"{device} is a file that holds 7 bytes: {WARNING}"]
    assert list(Path(results_dir).iterdir()) == []


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


def test_a_file_that_an_adapter_filled_may_be_overwritten(device: Path, results_dir: str) -> None:
    recorder = OwnedFileRecorder(str(device), results_dir)
    device.write_text("filled by l2sweep")
    recorder.record()
    assert overwrite_problems([raw_block(device)], results_dir) == []


def test_a_file_that_appeared_after_a_failed_run_is_foreign(device: Path, results_dir: str) -> None:
    # An adapter that fails on a missing path has created nothing: nothing is recorded.
    OwnedFileRecorder(str(device), results_dir).record()
    device.write_text("foreign")
    assert len(overwrite_problems([raw_block(device)], results_dir)) == 1


def test_a_list_that_others_may_have_written_protects_every_file(device: Path, results_dir: str) -> None:
    device.write_text("filled by l2sweep")
    OwnedFileRecorder(str(device), results_dir).record()
    Path(results_dir).chmod(0o777)
    (problem,) = overwrite_problems([raw_block(device)], results_dir)
    assert problem.endswith(
        f"; {results_dir}/owned_files.json is ignored: its folder {results_dir}: every user can write to it"
    )


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
    OwnedFileRecorder(str(device), results_dir).record()
    assert list(Path(results_dir).iterdir()) == []
    (problem,) = overwrite_problems([raw_block(device)], results_dir)
    assert problem == f"{device} is a block device{content}: {WARNING}"
    assert overwrite_problems([raw_block(device, allow_destructive=True)], results_dir) == []


def test_the_output_of_a_program_that_fails_or_is_not_installed_is_empty() -> None:
    assert overwrite_guard._output_of("echo", "text") == "text\n"
    assert overwrite_guard._output_of("false") == ""
    assert overwrite_guard._output_of("l2sweep-no-such-program") == ""
