"""Run a sweep: prepare it, then measure one point after another."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from l2sweep.analysis.statistics import summarise_point
from l2sweep.analysis.stored_earlier import stored_earlier
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import STOPPED
from l2sweep.records.environment import Machine, git_commit
from l2sweep.records.reading.presence import Recorded
from l2sweep.records.store.address import StoreAddress, is_url, local_folder
from l2sweep.sweep.attempt.host_attempt import SweepContext
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.checks.results_dir import require_writable
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.prepare import Prepared, SweepRequest, plan_of, prepare
from l2sweep.sweep.report.report_view import view_with_report
from l2sweep.sweep.runs import Todo, one_after_another
from l2sweep.sweep.session import SweepSession
from l2sweep.sweep.state.leftovers import undeleted_sentence
from l2sweep.sweep.terminal.console import make_console
from l2sweep.sweep.terminal.plan_table import earlier_wall_s, print_plan
from l2sweep.sweep.terminal.point_view import PointView
from l2sweep.sweep.terminal.table_view import TableView
from l2sweep.sweep.terminal.view import SweepView


@dataclass(frozen=True)
class SweepResult:
    """The results of a sweep.

    Attributes:
        points: The result of each point that ran, in the order in which they ran.
        is_complete: Whether each cell of the grid was run at least once, now or, with success, in an earlier
            run of a resumed sweep.
    """

    points: Sequence[PointResult]
    is_complete: bool


def run_sweep(request: SweepRequest, session: SweepSession) -> SweepResult:
    """Prepare a sweep and run its points; with ``dry_run``, print its plan and run nothing.

    Args:
        request: The request.
        session: Starts the processes, and collects the exit codes of the points.

    Raises:
        RequestError: The request is wrong. Nothing was run.
        BenchError: A point could not be run or recorded. Earlier points are recorded.
    """
    request = _spooled(request)
    if request.sweep.dry_run:
        require_writable(request.sweep.results_dir)
        prepared = plan_of(request)
        print_plan(make_console(False), prepared.plan, prepared.to_run, earlier_wall_s(request.sweep))
        return SweepResult([], is_complete=True)
    session.begin()
    prepared = prepare(request, session)
    session.sweep = prepared.sweep
    if session.view is None:
        session.view = _view(request, prepared)
    session.recorded += prepared.measured_before
    session.view.planned(prepared.plan, prepared.to_run, prepared.failed_before)
    commit = git_commit(request.config_folder)
    context = SweepContext(prepared.sweep, Machine.here(), commit, session.starter.start)
    session.has_run_to_end = False
    try:
        results = _measure_points(prepared, session, session.view, context)
    finally:
        with contextlib.suppress(OSError):  # not empty: a point kept its data
            Path(prepared.sweep.scratch_dir).rmdir()
    session.has_run_to_end = session.exit_code != STOPPED
    is_complete = not prepared.failed_before and not _has_unmeasured_cell(prepared, results)
    return SweepResult([result for _, result in results], is_complete)


def _spooled(request: SweepRequest) -> SweepRequest:
    """Return a request whose results go into a folder: the spool folder, if they belong into a store."""
    results_dir = request.sweep.results_dir
    if request.address is not None or not is_url(results_dir):
        return request
    sweep = replace(request.sweep, results_dir=str(local_folder(results_dir)))
    return replace(request, sweep=sweep, address=StoreAddress.parse(results_dir))


def _view(request: SweepRequest, prepared: Prepared) -> SweepView:
    sweep = prepared.sweep
    if request.address is not None:
        sweep = replace(sweep, results_dir=request.address.url)
    is_single = request.is_single and len(prepared.plan.points) == 1
    kind = PointView if is_single else TableView
    return view_with_report(sweep, lambda console: kind(console, sweep), is_single=is_single)


def _measure_points(
    prepared: Prepared, session: SweepSession, view: SweepView, context: SweepContext
) -> list[tuple[PlannedPoint, PointResult]]:
    sweep = prepared.sweep
    results: list[tuple[PlannedPoint, PointResult]] = []
    todo = Todo(prepared.to_run, session, view, sweep)
    run = one_after_another if session.crew is None else session.crew.run
    for planned, result in run(context, todo, view):
        session.note(result.exit_code)
        session.recorded.append(_recorded(sweep, planned, result))
        results.append((planned, result))
        view.ended(
            planned, result, summarise_point(planned.config.reported_phases, result.rounds, result.points)
        )
        session.upload_recorded()
        if result.keys_remain:
            view.note(undeleted_sentence(result.point["namespace"]))
        for line in _why_nothing_found(planned.config, result, sweep.results_dir):
            view.note(line)
        if result.exit_code == STOPPED or (result.exit_code and sweep.on_failure == "stop"):
            todo.end()  # points that run on other hosts come to their end
    return results


def _recorded(sweep: SweepConfig, planned: PlannedPoint, result: PointResult) -> Recorded:
    rows = len(result.rounds), len(result.points)
    return Recorded(Path(sweep.results_dir), sweep.sweep_id, planned.index, planned.attempt, *rows)


def _has_unmeasured_cell(prepared: Prepared, results: list[tuple[PlannedPoint, PointResult]]) -> bool:
    """Whether a cell of the grid was not run at all.

    A sweep that misses only some repeats of a cell, because its time budget was used up, is complete.
    """
    measured = {(planned.cell, planned.rank) for planned, _ in results}
    return any((planned.cell, planned.rank) not in measured for planned in prepared.to_run)


def _why_nothing_found(point: PointConfig, result: PointResult, results_dir: str) -> list[str]:
    """Return what earlier points stored under other options, if a lookup or load on its own found no key."""
    if point.only not in ("lookup", "load") or point.namespace is not None:
        return []
    found = sum(row["keys_ok"] for row in result.rounds)
    if found or not sum(row["keys_expected"] for row in result.rounds):
        return []
    from l2sweep.records.reader import load_points  # pandas takes most of a second

    return stored_earlier(load_points(results_dir), result.point)
