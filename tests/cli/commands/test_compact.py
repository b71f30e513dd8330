"""Sweeps are compacted by hand: all of them, or those that a selector names."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_rows import point_row, round_row

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError
from l2sweep.records.reader import load_rounds
from l2sweep.records.writer import write_point
from l2sweep.sweep.state.sweep_lock import sweep_lock


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a results folder with two points in each of the sweeps a and b."""
    for sweep_id in ("a", "b"):
        for index in (0, 1):
            row = {"sweep_id": sweep_id, "point_index": index}
            write_point(tmp_path, f"{sweep_id}.{index:05d}.1", [round_row(**row)], [point_row(**row)])
    return tmp_path


def compact(results: Path, *arguments: str) -> int:
    return run_command(["compact", *arguments, "--results-dir", str(results)])


def files(results: Path, sweep_id: str) -> int:
    return sum(1 for _ in results.glob(f"*/*/{sweep_id}/*.parquet"))


def test_all_sweeps_are_compacted_and_no_row_changes(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = load_rounds(results)
    assert compact(results) == 0
    assert capsys.readouterr().out == "2 of 2 sweeps are compact; 8 files were replaced\n"
    assert [files(results, sweep_id) for sweep_id in "ab"] == [2, 2]
    assert load_rounds(results).equals(before)


def test_a_selector_names_the_sweeps(results: Path) -> None:
    assert compact(results, "b") == 0
    assert [files(results, sweep_id) for sweep_id in "ab"] == [4, 2]


def test_a_sweep_that_runs_stays_as_it_is_and_the_others_are_compacted(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "sweeps" / "a").mkdir(parents=True)
    with sweep_lock(results / "sweeps" / "a"):
        assert compact(results) == 1
    assert "a stays as it is: sweep a is being run" in capsys.readouterr().out
    assert [files(results, sweep_id) for sweep_id in "ab"] == [4, 2]


def test_a_folder_of_somebody_else_is_not_touched(
    results: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (results / "sweeps").mkdir()
    (results / "sweeps" / "a").symlink_to(elsewhere)
    assert compact(results, "a") == 1
    assert (files(results, "a"), list(elsewhere.iterdir())) == (4, [])


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="has no recorded sweep"):
        compact(tmp_path)
