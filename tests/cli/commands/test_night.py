"""Tests of l2sweep.cli.commands.night."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sample_rows import MIB, point_row, round_row

from l2sweep.cli.command_group import run_command
from l2sweep.errors import BenchError, RequestError, UnreadableRecordsWarning
from l2sweep.records.reader import load_points
from l2sweep.records.writer import write_point
from l2sweep.sweep.state.manifest import Manifest

FIRST = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)


def write_night(
    results_dir: Path,
    number: int,
    *,
    status: str = "ok",
    fio_duration_s: float = 1.0,
    skipped: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Write a nightly sweep with one fs point and one fio control, and return its id."""
    sweep_id = f"night-{number}"
    same = {"sweep_id": sweep_id, "started_at": FIRST + timedelta(days=number)}
    write_point(results_dir, f"{sweep_id}.00000.1", [round_row(**same)], [point_row(**same, status=status)])
    fio = {**same, "point_index": 1, "point_id": "f" * 16, "adapter_type": "fio"}
    load = round_row("load", **fio, duration_s=fio_duration_s, bytes_ok=MIB)
    write_point(results_dir, f"{sweep_id}.00001.1", [load], [point_row(**fio, rounds=1)])
    folder = results_dir / "sweeps" / sweep_id
    folder.mkdir(parents=True)
    Manifest(sweep_id, [], [], [], [dict(one) for one in skipped]).save(folder)
    return sweep_id


def skipped(reason: str, *, as_asked: bool = False) -> Mapping[str, Any]:
    return {"point_id": "e" * 16, "overrides": [], "reason": reason, "as_asked": as_asked}


def run(results_dir: Path, sweep_id: str, *arguments: str) -> None:
    run_command(["night", f"--results-dir={results_dir}", f"--sweep-id={sweep_id}", *arguments])


def problem_of(results_dir: Path, sweep_id: str, *arguments: str) -> str:
    with pytest.raises(BenchError) as raised:
        run(results_dir, sweep_id, *arguments)
    return str(raised.value)


def test_a_night_without_problems_prints_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_night(tmp_path, 0)
    run(tmp_path, write_night(tmp_path, 1))
    assert capsys.readouterr().out == (
        "2026-11-02 02:30Z night-1: 2 points measured, 0 failed, 0 warm; "
        "fio load 1 MiB/s (1.00 of the last 1 nights)\n"
    )


def test_failed_points_are_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert problem_of(tmp_path, write_night(tmp_path, 0, status="failed")) == "1 points failed"
    assert "1 points measured, 1 failed" in capsys.readouterr().out  # the line is printed all the same


def test_a_slow_control_is_a_problem_below_min_control_fraction(tmp_path: Path) -> None:
    write_night(tmp_path, 0)
    sweep_id = write_night(tmp_path, 1, fio_duration_s=4.0)
    assert problem_of(tmp_path, sweep_id).startswith("the disk was slow: fio load reached 0.25 of")
    run(tmp_path, sweep_id, "--min-control-fraction=0.25")


def test_only_last_nights_are_compared(tmp_path: Path) -> None:
    write_night(tmp_path, 0, fio_duration_s=0.01)
    write_night(tmp_path, 1)
    sweep_id = write_night(tmp_path, 2)
    run(tmp_path, sweep_id, "--compare-nights=1")
    assert "of the last 2 nights" in problem_of(tmp_path, sweep_id)


def test_points_that_were_skipped_by_this_machine_are_a_problem(tmp_path: Path) -> None:
    reasons = [skipped("writes 3.00 GB, more than budget.disk_gb=2.0"), skipped("constraint", as_asked=True)]
    sweep_id = write_night(tmp_path, 0, skipped=reasons)
    assert problem_of(tmp_path, sweep_id) == (
        "points were skipped: writes 3.00 GB, more than budget.disk_gb=2.0"
    )


def test_a_control_that_is_not_installed_is_no_problem(tmp_path: Path) -> None:
    run(tmp_path, write_night(tmp_path, 0, skipped=[skipped("fio is not installed")]))


def test_a_sweep_without_a_manifest_is_summarised(tmp_path: Path) -> None:
    sweep_id = write_night(tmp_path, 0)
    (tmp_path / "sweeps" / sweep_id / "manifest.json").unlink()
    run(tmp_path, sweep_id)


def test_old_sweeps_are_removed_even_if_the_night_has_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [write_night(tmp_path, number) for number in range(3)]
    problem_of(tmp_path, write_night(tmp_path, 3, fio_duration_s=9.0), "--keep-nights=2")
    assert "removed 2 old sweeps: night-0, night-1" in capsys.readouterr().out
    assert set(load_points(tmp_path)["sweep_id"]) == {ids[2], "night-3"}


@pytest.mark.parametrize("has_other_records", [True, False])
def test_a_sweep_without_records_is_refused(tmp_path: Path, has_other_records: bool) -> None:
    if has_other_records:
        write_night(tmp_path, 0)
    with pytest.raises(RequestError) as raised:
        run(tmp_path, "missing")
    assert str(raised.value) == f"night: --sweep-id missing: has no records in {tmp_path}"


def test_an_option_out_of_range_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--keep-nights: 1 is not in the range x>=2"):
        run(tmp_path, "night-1", "--keep-nights=1")


def test_an_option_in_the_form_of_a_run_is_told_its_form_here(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="keep_nights=3: an option of a command is given with dashes"):
        run(tmp_path, "night-1", "keep_nights=3")


def test_a_row_with_a_hostile_id_is_named_and_removes_nothing(tmp_path: Path) -> None:
    results = tmp_path / "one" / "results"
    (tmp_path / "precious").mkdir()
    sweep_id = write_night(results, 1)
    write_night(results, 2)
    hostile = {"sweep_id": "../../../precious", "started_at": FIRST - timedelta(days=9)}
    write_point(results, "hostile.00000.1", [], [point_row(**hostile, status="failed")])
    with pytest.warns(UnreadableRecordsWarning, match="hostile.00000.1"):
        run(results, sweep_id, "--keep-nights=2")
    assert (tmp_path / "precious").is_dir()


def test_a_manifest_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    sweep_id = write_night(tmp_path, 0, skipped=[skipped("planted")])
    manifest = tmp_path / "sweeps" / sweep_id / "manifest.json"
    manifest.chmod(0o666)
    with pytest.warns(UnreadableRecordsWarning, match=f"{manifest} is ignored: every user can write to it"):
        run(tmp_path, sweep_id)


def test_a_control_that_is_far_off_theory_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = {"servers": 1, "service_ms": 100}
    spec = {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "adapter_params": params}
    control = {"adapter_type": "plugin", "adapter_spec": json.dumps(spec)}
    for number, duration_s in enumerate([0.2015, 0.203]):  # 0.2 s in theory
        own = {"sweep_id": f"night-{number}", "started_at": FIRST, **control}
        rows = [round_row("load", round_number, **own, duration_s=duration_s) for round_number in (1, 2, 3)]
        write_point(tmp_path, f"night-{number}.00000.1", rows, [point_row(**own)])
    run(tmp_path, "night-0")
    assert problem_of(tmp_path, "night-1").startswith(
        "the harness was inexact: control load was 1.50 % off theory, more than max_control_error_percent=1.0"
    )
    run(tmp_path, "night-1", "--max-control-error-percent=2.0")
    run(tmp_path, "night-1", "--max-control-error-percent=inf")
    assert capsys.readouterr().out.count("control load 10 MiB/s") == 4
    with pytest.raises(RequestError, match=r"--max-control-error-percent: 0\.0 is not in the range x>0"):
        run(tmp_path, "night-1", "--max-control-error-percent=0")
