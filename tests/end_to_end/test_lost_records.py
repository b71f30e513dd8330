"""The end of a sweep counts the records that are there, not those that were written."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import RunL2Sweep
from record_files import split

from l2sweep.records.storage.layout import record_path

GRID = ("-m", "adapter=fs", "data_size_kb=64", "rounds=1", "num_keys=2,3,4", "sweep_id=mine")


def hook(command: str) -> tuple[str, ...]:
    """Return options that run a shell command before the lookup of each point."""
    return ("cache=cold", "cache.drop_before=[lookup]", "cache.method=command", f"cache.command='{command}'")


def at_the_third_point(command: str) -> tuple[str, ...]:
    return hook(f"ls results/points/date=*/mine/mine.00001.1.parquet && {command} || true")


def test_a_results_folder_that_is_removed_is_an_error_at_the_end(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(
        *GRID, *at_the_third_point("rm -rf results"), "adapter.base_path=kv", "cache.max_resident_fraction=1"
    )
    assert run.exit_code == 1, run.err
    assert "1 of 3 points measured, 2 lost" in run.out
    lost = record_path(Path("results"), "rounds", "mine.00000.1", run.points["started_at"].min())
    assert (
        f"The records of 2 points cannot be read back: {lost} (No such file or directory), and 1 more"
        in run.out
    )
    assert "To resume" not in run.out  # its manifest is gone
    assert set(run.points["point_index"]) == {2}


def test_a_rounds_file_that_is_truncated_later_is_not_counted(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(
        *GRID,
        *at_the_third_point("truncate -s 100 results/rounds/date=*/mine/mine.00001.1.parquet"),
        "adapter.base_path=kv",
        "cache.max_resident_fraction=1",
        "report_format=json",
    )
    assert run.exit_code == 1, run.err
    assert "2 of 3 points measured, 1 lost" in run.err
    assert "To resume: python -m l2sweep resume=mine" in run.err
    (note,) = json.loads(run.out)["notes"]
    lost = record_path(run.results_dir, "rounds", "mine.00001.1").relative_to(run.results_dir)
    assert note.startswith(f"The records of 1 point cannot be read back: results/{lost} (")
    again = run_l2sweep("resume=mine")
    assert "1 of 3 points measured, 2 measured before" in again.err


def test_records_of_the_first_run_that_are_lost_while_it_is_resumed_are_not_counted(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    command = "test -e lose && rm -f results/points/date=*/mine/mine.00000.1.parquet; true"
    grid = (*GRID[:-1], *hook(command), "adapter.base_path=kv", "cache.max_resident_fraction=1")
    first = run_l2sweep(*grid, "sweep_id=mine")
    assert first.exit_code == 0, first.out
    split(first.results_dir)
    record_path(first.results_dir, "points", "mine.00002.1").unlink()
    (tmp_path / "lose").touch()
    run = run_l2sweep(*grid, "resume=mine")
    assert run.exit_code == 1
    assert "1 of 3 points measured, 1 measured before, 1 lost" in run.out, run.err
