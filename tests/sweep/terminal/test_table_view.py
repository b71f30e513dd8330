"""The view of a sweep with many points."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from sample_rows import DATE, SWEEP_ID, point_row, round_row
from shipped import point

from l2sweep.analysis.statistics import summarise
from l2sweep.bench.messages import PhaseStarted
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint, SkippedPoint
from l2sweep.sweep.terminal.table_view import TableView

BASE = replace(point(), num_keys=4, in_flight=2)


def planned(count: int, first: int = 0) -> tuple[PlannedPoint, ...]:
    return tuple(PlannedPoint(index, index, 0, BASE) for index in range(first, first + count))


def after(
    points: Sequence[PlannedPoint],
    to_run: Sequence[PlannedPoint],
    statuses: Sequence[str],
    *,
    failed_before: int = 0,
    skipped: Sequence[SkippedPoint] = (),
    results_dir: str = "results",
    **options: Any,
) -> list[str]:
    """Return the lines that a view prints for a sweep.

    Args:
        points: All points.
        to_run: Those that are not measured yet.
        statuses: For each point that is run, how it ended.
        failed_before: How many failed in an earlier run.
        skipped: Points that are not run.
        results_dir: Folder of the results.
        options: Of the view.
    """
    screen = io.StringIO()
    sweep = SweepConfig(sweep_id="one", results_dir=results_dir)
    view = TableView(Console(file=screen, width=160), sweep, **options)
    view.planned(Plan(tuple(points), tuple(skipped)), to_run, failed_before)
    for one, status in zip(to_run, statuses, strict=False):
        view.started(one)
        view.message(PhaseStarted("store"))
        rows = [round_row("store", point_index=one.index)] if status == "ok" else []
        log_file = f"sweeps/one/point-{one.index:05d}.1.log"
        row = point_row(status=status, point_index=one.index, log_file=log_file, only="store", rounds=1)
        view.ended(one, PointResult([row], rows), [summarise("store", rows)] if rows else [])
    view.finished()
    return screen.getvalue().splitlines()


def sweep_line(lines: Sequence[str]) -> str:
    (line,) = (line for line in lines if line.startswith("Sweep "))
    return line


def resume_lines(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.startswith("To resume: ")]


def test_a_sweep_shows_a_line_per_point_the_table_the_counts_and_where_the_records_are() -> None:
    points = planned(2)
    lines = after(points, points, ["ok", "ok"])
    name = "fs num_keys=4 in_flight=2 data_size_kb=256"
    assert lines[:3] == [f"[1/2] {name}: store 4.0 MiB/s", f"[2/2] {name}: store 4.0 MiB/s", ""]
    assert (
        lines[3]
        == "All points: adapter_type=fs, num_keys=4, in_flight=2, data_size_kb=256, rounds=1, repeats=2"
    )
    assert lines[4].split()[:3] == ["point", "phase", "throughput"]
    assert lines[5].split()[:4] == ["0", "store", "4.000", "MiB/s"]
    assert lines[6:] == [
        "",
        "Sweep one: 2 of 2 points measured",
        f"Records: results/rounds/{DATE}/{SWEEP_ID} and results/points/{DATE}/{SWEEP_ID}",
        "Log files: results/sweeps/one/",
        "To read the records:",
        f'  import pandas as pd; pd.read_parquet("results/rounds/{DATE}/{SWEEP_ID}")',
        '  import l2sweep; l2sweep.load_rounds("results")',
    ]


def test_skipped_points_are_listed_first_with_the_reason() -> None:
    skipped = [SkippedPoint(BASE, "needs 9.00 GiB of [memory]", as_asked=False)]
    lines = after(planned(1), planned(1), ["ok"], skipped=skipped)
    named = "fs num_keys=4 in_flight=2 data_size_kb=256"
    assert lines[0] == f"skipped: {named}: needs 9.00 GiB of [memory]"
    assert sweep_line(lines) == "Sweep one: 1 of 1 points measured, 1 skipped"


@pytest.mark.parametrize(
    ("to_run", "statuses", "failed_before", "counts"),
    [
        (4, ["ok", "failed", "ok", "crashed"], 0, "2 of 4 points measured, 2 failed"),
        (4, ["ok"], 0, "1 of 4 points measured, 3 not run"),
        (4, ["failed", "stopped"], 0, "0 of 4 points measured, 1 failed, 1 stopped, 2 not run"),
        (1, ["ok"], 0, "1 of 4 points measured, 3 measured before"),
        (1, ["ok"], 2, "1 of 4 points measured, 1 measured before, 2 failed before"),
        (0, [], 4, "0 of 4 points measured, 4 failed before"),
        (0, [], 0, "0 of 4 points measured, 4 measured before"),
        (2, ["failed"], 1, "0 of 4 points measured, 1 measured before, 1 failed before, 1 failed, 1 not run"),
    ],
)
def test_the_counts_distinguish_this_run_from_earlier_runs(
    to_run: int, statuses: list[str], failed_before: int, counts: str
) -> None:
    points = planned(4)
    lines = after(points, points[4 - to_run :], statuses, failed_before=failed_before)
    assert sweep_line(lines) == f"Sweep one: {counts}"


@pytest.mark.parametrize(
    ("statuses", "is_shown"), [(["ok", "ok"], False), (["ok"], True), (["ok", "failed"], True)]
)
def test_the_resume_command_is_shown_if_points_failed_or_were_not_run(
    statuses: list[str], is_shown: bool
) -> None:
    lines = after(planned(2), planned(2), statuses)
    assert resume_lines(lines) == (["To resume: python -m l2sweep resume=one"] if is_shown else [])


def test_the_resume_command_names_another_results_folder() -> None:
    lines = after(planned(1), planned(1), [], results_dir="/data/out")
    assert resume_lines(lines) == ["To resume: python -m l2sweep resume=one results_dir=/data/out"]


def test_a_search_shows_no_resume_command() -> None:
    assert resume_lines(after(planned(2), planned(2), ["failed"], can_be_resumed=False)) == []


def test_keys_that_were_not_deleted_are_named_at_the_end() -> None:
    screen = io.StringIO()
    view = TableView(Console(file=screen, width=160), SweepConfig(sweep_id="one"))
    points = planned(6)
    view.planned(Plan(points, ()), points, 0)
    for one, keys_left in zip(points, (4, 0, None, 8, 1, 1), strict=True):
        row = point_row(point_index=one.index, keys_left=keys_left, namespace=f"n{one.index}")
        view.ended(one, PointResult([row], []), [])
    view.finished()
    assert (
        "14 keys of 4 points were not deleted: fs, namespace n0; fs, namespace n3; fs, namespace n4; "
        "and 1 more (column keys_left of points)" in screen.getvalue().splitlines()
    )


def test_a_run_without_points_shows_no_table_and_no_records() -> None:
    assert after(planned(2), [], []) == ["", "Sweep one: 0 of 2 points measured, 2 measured before"]


def test_the_trials_of_a_search_are_added_up() -> None:
    screen = io.StringIO()
    view = TableView(Console(file=screen, width=160), SweepConfig(sweep_id="one"), can_be_resumed=False)
    skipped = SkippedPoint(BASE, "constraint num_keys < 2", as_asked=True)
    for index in range(3):
        (one,) = planned(1, first=index)
        view.planned(Plan((one,), (skipped,)), [one], 0)
        view.started(one)
        view.ended(one, PointResult([point_row(point_index=index)], []), [])
    view.finished()
    assert sweep_line(screen.getvalue().splitlines()) == "Sweep one: 3 of 3 points measured, 3 skipped"
