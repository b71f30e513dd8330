"""The list of the recorded sweeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sample_rows import point_row, round_row

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError, UnreadableRecordsWarning
from l2sweep.records.writer import write_point
from l2sweep.sweep.state.manifest import Manifest
from l2sweep.sweep.state.sweep_lock import sweep_lock
from l2sweep.sweep.terminal import console


def write_sweep(results_dir: Path, sweep_id: str, *statuses: str, sweep_name: str = "default") -> None:
    """Write a sweep with one point per status."""
    for index, status in enumerate(statuses):
        row = {"sweep_id": sweep_id, "point_index": index, "sweep_name": sweep_name}
        rows = [round_row(**row)], [point_row(**row, status=status)]
        write_point(results_dir, f"{sweep_id}.{index:05d}.1", *rows)


def listed(results_dir: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, object]]:
    assert run_command(["list", "--results-dir", str(results_dir), "--format", "json", *more]) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows


def test_each_sweep_is_a_row_with_its_counts_and_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path, "a", "ok", "ok")
    write_sweep(tmp_path, "b", "ok", "crashed", "warm", sweep_name="mine")
    first, second = listed(tmp_path, capsys)
    assert (first["sweep_id"], first["points"], first["verdict"]) == ("a", 2, "ok")
    assert (second["sweep_name"], second["points"], second["verdict"]) == ("mine", 3, "2 failed")
    assert first["adapters"] == ["fs"]
    files = [path for path in tmp_path.rglob("a.*.parquet") if path.is_file()]
    assert first["size_bytes"] == sum(path.stat().st_size for path in files)


def test_a_point_that_was_stopped_did_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(tmp_path, "a", "ok", "stopped")
    write_sweep(tmp_path, "b", "stopped", "crashed", "ok")
    assert [row["verdict"] for row in listed(tmp_path, capsys)] == ["1 stopped", "1 failed, 1 stopped"]


def test_a_name_selects_its_sweeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(tmp_path, "a", "ok")
    write_sweep(tmp_path, "b", "ok", sweep_name="mine")
    assert [row["sweep_id"] for row in listed(tmp_path, capsys, "--name", "mine")] == ["b"]
    with pytest.raises(RequestError, match="list: --name x: must be the name of a sweep: default, mine"):
        run_command(["list", "--results-dir", str(tmp_path), "--name", "x"])


def test_a_sweep_that_runs_is_no_result_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(tmp_path, "a", "ok", "failed")
    (tmp_path / "sweeps" / "a").mkdir(parents=True)
    with sweep_lock(tmp_path / "sweeps" / "a"):
        (row,) = listed(tmp_path, capsys)
    assert row["verdict"] == "running, 1 failed so far"


def test_a_folder_whose_points_all_are_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    write_sweep(tmp_path, "a", "ok", "ok")
    for path in (tmp_path / "points").rglob("*.parquet"):
        path.write_bytes(b"")
    with (
        pytest.warns(UnreadableRecordsWarning, match="2 files in "),
        pytest.raises(RequestError, match=r"^list: --results-dir .*: no file in points can be read$"),
    ):
        run_command(["list", "--results-dir", str(tmp_path)])


def write_plan(results_dir: Path, sweep_id: str, points: int) -> None:
    """Write the manifest of a sweep."""
    folder = results_dir / "sweeps" / sweep_id
    folder.mkdir(parents=True)
    entries = [
        {"index": index, "repeat": 0, "point_id": "0" * 16, "overrides": []} for index in range(points)
    ]
    Manifest(sweep_id, [], [], entries).save(folder)


def test_an_interrupted_sweep_shows_how_many_of_its_points_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path, "a", "ok", "stopped")
    write_plan(tmp_path, "a", 8)
    write_sweep(tmp_path, "b", "ok", "ok")
    write_plan(tmp_path, "b", 2)
    first, second = listed(tmp_path, capsys)
    assert (first["done"], first["planned"], first["verdict"]) == (1, 8, "1 stopped, 6 not run")
    assert (second["done"], second["planned"], second["verdict"]) == (2, 2, "ok")
    assert run_command(["list", "--results-dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " 1/8 " in lines[1]
    assert " 2 " in lines[2]
    assert "/" not in lines[2]


def test_the_minutes_of_a_sweep_are_those_that_its_processes_ran(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"sweep_id": "a", "wall_s": 60.0}
    for index, day in enumerate((1, 2)):  # it was resumed a day later
        own = {**row, "point_index": index, "started_at": datetime(2026, 1, day, tzinfo=UTC)}
        write_point(tmp_path, f"a.{index:05d}.1", [], [point_row(**own)])
    (only,) = listed(tmp_path, capsys)
    assert only["wall_s"] == 120
    assert run_command(["list", "--results-dir", str(tmp_path)]) == 0
    assert " 2.0 " in capsys.readouterr().out.splitlines()[1]


def test_a_narrow_terminal_gets_a_narrow_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(tmp_path, "20261130T085225Z-abcd", "ok", "crashed", sweep_name="nightly")
    monkeypatch.setattr(console, "PLAIN_WIDTH", 60)
    assert run_command(["list", "--results-dir", str(tmp_path)]) == 0
    table, note = capsys.readouterr().out.rstrip().rsplit("\n", 1)
    assert max(map(len, table.splitlines())) <= 60
    assert "20261130T085225Z-abcd" in table
    assert "1 failed" in table
    assert note.startswith("not shown for lack of width: ")


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=f"list: --results-dir {tmp_path}: has no recorded sweep"):
        run_command(["list", "--results-dir", str(tmp_path)])
