"""Files that are damaged or do not belong into a results folder do not stop the commands that read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run, RunL2Sweep, RunL2SweepIn
from record_files import damage_a_page, split, truncate

from l2sweep.records.storage.layout import record_path

SMALL = ("-m", "adapter=mock", "data_size_kb=64", "rounds=1", "num_keys=2,3,4")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def overwrite(file: Path) -> None:
    file.write_text("not Parquet")


@pytest.fixture(scope="module")
def sweep(run_l2sweep_in: RunL2SweepIn, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = run_l2sweep_in(tmp_path_factory.mktemp("measured"))(*SMALL, "sweep_id=mine")
    assert run.exit_code == 0, run.err
    return run


@pytest.fixture
def measured(sweep: Run, tmp_path: Path) -> Run:
    """Return the sweep with a copy of its records in the folder of the test."""
    return replace(sweep, results_dir=shutil.copytree(sweep.results_dir, tmp_path / "results"))


@pytest.mark.parametrize(
    "damage", [truncate, empty, replace_by_folder, overwrite, damage_a_page, Path.unlink]
)
@pytest.mark.parametrize("data_set", ["points", "rounds"])
def test_a_point_whose_records_cannot_be_read_is_measured_again(
    run_l2sweep: RunL2Sweep, measured: Run, data_set: str, damage: Callable[[Path], None]
) -> None:
    split(measured.results_dir)
    damage(record_path(measured.results_dir, data_set, "mine.00001.1"))
    resumed = run_l2sweep("resume=mine", "retry_failed=false")
    assert resumed.exit_code == 0, resumed.err
    assert "1 of 3 points measured, 2 measured before" in resumed.out
    again = run_l2sweep("resume=mine")
    assert "0 of 3 points measured, 3 measured before" in again.out
    status = run_l2sweep("status")
    assert status.out.splitlines()[1].split() == ["mine", "3", "3", "0", "0", "0"]


def test_commands_name_a_damaged_file_in_one_line_and_go_on(run_l2sweep: RunL2Sweep, measured: Run) -> None:
    split(measured.results_dir)
    truncate(record_path(measured.results_dir, "rounds", "mine.00000.1"))
    truncate(record_path(measured.results_dir, "points", "mine.00001.1"))
    status = run_l2sweep("status")
    assert status.exit_code == 0, status.err
    assert status.out.splitlines()[1].split() == ["mine", "3", "1", "0", "0", "2"]
    (line,) = status.err.splitlines()
    assert line.startswith("l2sweep: 2 files in results cannot be read: points/date=")
    assert "/mine/mine.00001.1.parquet (" in line
    assert "/mine/mine.00000.1.parquet (" in line
    dry = run_l2sweep(*SMALL, "dry_run=true")
    assert dry.exit_code == 0, dry.err
    assert len(dry.err.splitlines()) == 1, dry.err
    night = run_l2sweep("night", "--sweep-id=mine")
    assert night.exit_code == 1
    assert "1 points measured, 1 failed" in night.out
    assert "internal error" not in night.err
    assert "mine.00000.1.parquet" in night.err


def test_a_file_that_is_no_record_does_not_disturb(run_l2sweep: RunL2Sweep, measured: Run) -> None:
    for data_set in ("rounds", "points"):
        (measured.results_dir / data_set / "README.txt").write_text("read me")
        (measured.results_dir / data_set / ".DS_Store").write_bytes(b"\0")
    for command in (("status",), ("resume=mine",), (*SMALL, "dry_run=true"), ("night", "--sweep-id=mine")):
        run = run_l2sweep(*command)
        assert (run.exit_code, run.err) == (0, ""), command
    assert (len(measured.points), len(measured.rounds)) == (3, 18)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"sweep_id": 7}', b"[" * 100_000])
def test_a_garbage_manifest_stops_only_its_own_resume(
    run_l2sweep: RunL2Sweep, measured: Run, content: bytes
) -> None:
    split(measured.results_dir)
    record_path(measured.results_dir, "points", "mine.00001.1").unlink()
    garbage = measured.results_dir / "sweeps" / "other"
    garbage.mkdir()
    (garbage / "manifest.json").write_bytes(content)
    named = "l2sweep: results/sweeps/other/manifest.json cannot be read: "
    own = run_l2sweep("resume=other")
    assert own.exit_code == 2
    (line,) = own.err.splitlines()
    assert line.startswith(f"l2sweep: resume=other: {named.removeprefix('l2sweep: ')}")
    status = run_l2sweep("status")
    assert status.exit_code == 0
    assert status.out.splitlines()[1].split() == ["mine", "3", "2", "0", "0", "1"]
    assert named.removeprefix("l2sweep: ") in status.out
    latest = run_l2sweep("resume=latest")
    assert latest.exit_code == 0, latest.err
    assert "1 of 3 points measured, 2 measured before" in latest.out
    (line,) = latest.err.splitlines()
    assert line.startswith(named)


def test_a_manifest_with_the_id_of_another_sweep_is_refused(run_l2sweep: RunL2Sweep, measured: Run) -> None:
    copied = measured.results_dir / "sweeps" / "copy"
    copied.mkdir()
    (copied / "manifest.json").write_bytes(
        (measured.results_dir / "sweeps" / "mine" / "manifest.json").read_bytes()
    )
    run = run_l2sweep("resume=copy")
    assert run.exit_code == 2
    assert "it is the manifest of sweep mine" in run.err
