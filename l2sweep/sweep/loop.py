"""The loop over the points of a sweep, from its request to the last point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.analysis.statistics import OperationSummary, summarise
from l2sweep.config.point import PointConfig
from l2sweep.errors import STOPPED
from l2sweep.interrupts import deferred, requested
from l2sweep.records.environment import Machine, git_commit
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.point_attempt import PointResult, PointRunner
from l2sweep.sweep.prepare import Prepared, SweepRequest, plan_of, prepare
from l2sweep.sweep.results_dir import remove_empty_scratch, require_writable
from l2sweep.sweep.session import SweepSession
from l2sweep.sweep.terminal.console import make_console
from l2sweep.sweep.terminal.plan_table import earlier_wall_s, print_plan
from l2sweep.sweep.terminal.views import PointView, SweepView, TableView


@dataclass(frozen=True)
class SweepResult:
    """The points of a sweep that were run.

    Attributes:
        points: The result of each point that was run, in order.
        is_complete: Every point of the plan has been run, now or, with success, in an earlier run.
    """

    points: Sequence[PointResult]
    is_complete: bool


def run_sweep(request: SweepRequest, session: SweepSession) -> SweepResult:
    """Prepare a sweep and run its points, or print its plan where ``dry_run`` asks for no more.

    Args:
        request: What was asked for.
        session: Starts the processes, and records how the points ended.

    Raises:
        RequestError: The request is wrong; nothing was run.
        BenchError: A point could not be run or recorded; earlier points are kept.
    """
    if request.sweep.dry_run:
        require_writable(request.sweep.results_dir)
        prepared = plan_of(request)
        print_plan(make_console(False), prepared.plan, prepared.to_run, earlier_wall_s(request.sweep))
        return SweepResult([], is_complete=True)
    prepared = prepare(request, session)
    with deferred():
        if session.view is None:
            session.view = _view(request, prepared)
        session.view.planned(prepared.plan, prepared.to_run, prepared.failed_before)
        machine, commit = Machine.here(), git_commit(request.config_folder)
        runner = PointRunner(prepared.sweep, machine, commit, session.starter.start)
        try:
            results = _run_points(prepared, session, session.view, runner)
        finally:
            remove_empty_scratch(prepared.sweep)
    is_complete = not prepared.failed_before and not _has_unmeasured_cell(prepared, results)
    return SweepResult([result for _, result in results], is_complete)


def _view(request: SweepRequest, prepared: Prepared) -> SweepView:
    console = make_console(request.sweep.quiet)
    if request.is_single and len(prepared.plan.points) == 1:
        return PointView(console)
    return TableView(console, prepared.sweep)


def _run_points(
    prepared: Prepared, session: SweepSession, view: SweepView, runner: PointRunner
) -> list[tuple[PlannedPoint, PointResult]]:
    sweep = prepared.sweep
    results: list[tuple[PlannedPoint, PointResult]] = []
    for planned in prepared.to_run:
        if requested():
            session.note(STOPPED)
            break
        if session.is_over_budget(sweep.budget_minutes):
            view.note(f"budget.minutes={sweep.budget_minutes} are used up")
            break
        view.started(planned)
        result = runner.run(planned, view.message)
        session.note(result.exit_code)
        results.append((planned, result))
        view.ended(planned, result, _summaries(planned.config, result))
        if result.exit_code == STOPPED or (result.exit_code and sweep.on_failure == "stop"):
            break
    return results


def _has_unmeasured_cell(prepared: Prepared, results: list[tuple[PlannedPoint, PointResult]]) -> bool:
    """Whether the sweep ended before some point of the grid was run even once.

    A time budget may cost a point some of its repeats, but not all of them.
    """
    run = {planned.cell for planned, _ in results}
    return any(planned.cell not in run for planned in prepared.to_run)


def _summaries(point: PointConfig, result: PointResult) -> list[OperationSummary]:
    operations = (summarise(phase, result.rounds) for phase in point.phases)
    return [summary for summary in operations if summary.rounds]
