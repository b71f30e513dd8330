"""A results folder on a disk that is full or read-only: one line, and no file stays behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep

pytestmark = pytest.mark.usefixtures("root")  # each test mounts a file system

Disk = Callable[[str], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mount a tmpfs with options of mount(8), and return its mount point."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
        return place

    yield mount
    subprocess.run(["umount", str(place)], check=False)


def below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("options", [("num_keys=2",), ("-m", "num_keys=2,3")])
@pytest.mark.parametrize("results", ["", "/results"])
def test_a_disk_that_is_full_at_the_start_is_refused(
    run_l2sweep: RunL2Sweep, disk: Disk, options: tuple[str, ...], results: str
) -> None:
    place = disk("size=16k")
    run = run_l2sweep("adapter=mock", "data_size_kb=64", *options, f"results_dir={place}{results}")
    assert run.exit_code == 2
    reason = f"must be a writable folder ({place}: No space left on device)"
    assert run.err == f"l2sweep: results_dir={place}{results}: {reason}\n"
    assert run.out == ""
    assert below(place) == []


@pytest.mark.parametrize(
    ("full", "repeats", "start", "end"),
    [
        (
            "size=128k",
            1500,
            "results_dir={results}: sweeps/mine/",
            "was not written: No space left on device",
        ),
        (
            "size=64m,nr_inodes=4",
            2,
            "sweep mine cannot be locked: {results}/sweeps/mine/",
            "sweep.lock: No space left on device",
        ),
    ],
)
def test_a_disk_that_is_full_when_the_sweep_is_created_leaves_no_sweep(
    run_l2sweep: RunL2Sweep, disk: Disk, full: str, repeats: int, start: str, end: str
) -> None:
    place = disk(full)
    run = run_l2sweep(
        *("-m", "adapter=mock", "data_size_kb=64", "num_keys=2", f"repeats={repeats}", "sweep_id=mine"),
        f"results_dir={place}/results",
    )
    assert run.exit_code == 2, run.err
    (line,) = run.err.splitlines()
    assert line.startswith(f"l2sweep: {start.format(results=f'{place}/results')}")
    assert line.endswith(end)
    assert below(place) == []


def test_a_read_only_disk_is_refused(run_l2sweep: RunL2Sweep, disk: Disk) -> None:
    place = disk("ro")
    run = run_l2sweep("adapter=mock", f"results_dir={place}/results")
    assert run.exit_code == 2
    assert run.err.endswith(f"({place}: Read-only file system)\n")


def test_a_report_file_on_a_full_disk_is_refused(run_l2sweep: RunL2Sweep, disk: Disk, tmp_path: Path) -> None:
    place = disk("size=16k")
    run = run_l2sweep("adapter=mock", f"report_file={place}/report.txt")
    assert run.exit_code == 2
    assert run.err.endswith(f"({place}: No space left on device)\n")
    assert not (tmp_path / "results").exists()


def test_a_disk_that_becomes_full_ends_the_sweep_with_one_line_and_keeps_what_is_there(
    run_l2sweep: RunL2Sweep, disk: Disk
) -> None:
    place = disk("size=400k")
    run = run_l2sweep(
        *("-m", "adapter=mock", "data_size_kb=64", "num_keys=2", "repeats=20", "rounds=1", "sweep_id=mine"),
        *("cache=hot", f"results_dir={place}/results", "quiet=true"),
    )
    assert run.exit_code == 1
    (line,) = run.err.splitlines()
    assert line.startswith(f"l2sweep: results_dir={place}/results: a point was not recorded: ")
    assert line.endswith("No space left on device")
    assert [name for name in below(place) if ".tmp" in name or "running-" in name] == []
    points, rounds = (
        {file.name for file in (place / "results" / name).rglob("*.parquet")} for name in ("points", "rounds")
    )
    assert points
    assert points <= rounds
