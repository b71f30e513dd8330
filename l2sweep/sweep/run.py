"""A single point with its full report, and a sweep of many with its table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from l2sweep import __version__
from l2sweep.analysis import report
from l2sweep.analysis.statistics import OperationSummary, summarise
from l2sweep.bench.messages import Accepted, AdapterCreated, Message, Note, PhaseStarted, RoundMeasured
from l2sweep.config import PointConfig, SweepConfig
from l2sweep.errors import STOPPED, BenchError, RequestError
from l2sweep.interrupts import deferred, requested
from l2sweep.records.environment import Machine, git_commit
from l2sweep.records.writer import get_ready_to_write
from l2sweep.sweep.isolation import ProcessStarter
from l2sweep.sweep.journal import remove_leftovers
from l2sweep.sweep.naming import describe, varied_options
from l2sweep.sweep.ongoing import OngoingSweep
from l2sweep.sweep.output import make_console
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.progress import SweepProgress
from l2sweep.sweep.results_dir import remove_empty_scratch
from l2sweep.sweep.runner import PointResult, PointRunner


@dataclass(frozen=True)
class _PointReport:
    """Prints a single point as it goes, in the shape of ``lmcache bench l2``."""

    console: Console
    point: PointConfig
    said: set[type[Message]] = field(default_factory=set)

    def line(self, text: str = "", style: str | None = None) -> None:
        self.console.print(text, markup=False, soft_wrap=True, style=style)

    def message(self, message: Message) -> None:
        if isinstance(message, (Accepted, AdapterCreated)):
            if type(message) not in self.said:  # once, however many processes the point has
                self.begun(message)
            self.said.add(type(message))
        elif isinstance(message, PhaseStarted):
            self.line()
            self.line(report.phase_line(message.phase, self.point.warmup_rounds, self.point.rounds))
        elif isinstance(message, RoundMeasured):
            self.line(report.round_line(vars(message)), style=None if message.status == "ok" else "red")
        elif isinstance(message, Note):
            self.line(f"[Note] {message.text}")

    def begun(self, message: Accepted | AdapterCreated) -> None:
        if isinstance(message, Accepted):
            self.line(f"l2sweep {__version__}, LMCache {message.lmcache_version}: {describe(self.point)}")
            self.line("\n[Init] Creating adapter...")
        else:
            self.line(f"[Init] Adapter created successfully ({message.adapter_class}).")

    def end(self, result: PointResult, summaries: Sequence[OperationSummary]) -> None:
        self.line()
        loads = [summary for summary in summaries if summary.operation == "load"]
        if loads and not self.point.skip_verify:
            self.line(report.verify_line(loads[0]) + "\n")
        if summaries:
            self.line(report.sections(result.point, summaries))
        if result.exit_code:
            self.line(f"{result.point['status']}: {result.point['detail']}", style="bold red")
            self.line(f"log: {result.point['log_file']}")


def run_point(sweep: SweepConfig, point: PointConfig, config_folder: Path) -> int:
    """Run a single point, print its report, and return the exit code.

    Raises:
        RequestError: LMCache refuses the spec; nothing was written.
    """
    get_ready_to_write()
    console = make_console(sweep.quiet)
    printed = _PointReport(console, point)
    # A single process gains nothing from a server that is started for it; a cold point has several.
    is_single = sweep.isolation == "auto" and not point.cache.is_cold
    isolation = "spawn" if is_single else sweep.isolation
    with ProcessStarter(isolation) as starter:
        for sentence in remove_leftovers(sweep.results_dir, starter.start, [point.adapter_spec]):
            printed.line(sentence)
        runner = PointRunner(sweep, Machine.here(), git_commit(config_folder), starter.start)
        result = runner.run(PlannedPoint(0, 0, point), printed.message, record_refused=False)
    remove_empty_scratch(sweep)
    if result.point["status"] == "refused":
        raise RequestError([result.point["detail"]])
    printed.end(result, _summaries(point, result))
    return result.exit_code


def run_sweep(
    sweep: SweepConfig,
    plan: Plan,
    to_run: Sequence[PlannedPoint],
    ongoing: OngoingSweep,
    config_folder: Path,
    failed_before: int,
) -> list[PointResult]:
    """Run a plan, show how far it is, and print the table.

    Args:
        sweep: What holds for the whole sweep.
        plan: All of it.
        to_run: Those of its points that are not measured yet.
        ongoing: Starts their processes, knows when the time is used up, and is told how they ended.
        config_folder: Where the configuration came from.
        failed_before: How many points of the plan failed earlier and are not run again.

    Returns:
        What came of each point of ``to_run``, in order; fewer when the sweep ended before.

    Raises:
        BenchError: A point could not be run or recorded; what was measured before it is kept and shown.
    """
    console = make_console(sweep.quiet)
    measured: list[tuple[PointResult, list[OperationSummary]]] = []
    varied = varied_options(plan.configs)
    for left in plan.left_out:
        console.print(
            f"left out: {describe(left.config, varied)}: {left.reason}", markup=False, soft_wrap=True
        )
    progress = SweepProgress(console, [planned.config for planned in to_run], len(plan.left_out))
    runner = PointRunner(sweep, Machine.here(), git_commit(config_folder), ongoing.starter.start)
    failure: BenchError | None = None
    with deferred():
        try:
            with progress:
                for one in _measure(sweep, to_run, ongoing, runner, progress, console):
                    measured.append(one)
        except BenchError as error:  # what was measured before is shown all the same
            failure = error
        remove_empty_scratch(sweep)
        _print_end(console, sweep, measured, plan, len(to_run), failed_before, ongoing.can_be_resumed)
    if failure is not None:
        raise failure
    return [result for result, _ in measured]


def _measure(
    sweep: SweepConfig,
    to_run: Sequence[PlannedPoint],
    ongoing: OngoingSweep,
    runner: PointRunner,
    progress: SweepProgress,
    console: Console,
) -> Iterator[tuple[PointResult, list[OperationSummary]]]:
    for planned in to_run:
        if requested():
            ongoing.note(STOPPED)
            return
        if ongoing.is_over_budget(sweep.budget_minutes):
            console.print(f"budget.minutes={sweep.budget_minutes} are used up", markup=False)
            return
        progress.started(planned.config)
        result = runner.run(planned, progress.message, record_refused=True)
        ongoing.note(result.exit_code)
        summaries = _summaries(planned.config, result)
        yield result, summaries
        progress.ended(planned.config, result.point, summaries)
        if result.exit_code == STOPPED or (result.exit_code and sweep.on_failure == "stop"):
            return


def _print_end(
    console: Console,
    sweep: SweepConfig,
    measured: Sequence[tuple[PointResult, Sequence[OperationSummary]]],
    plan: Plan,
    to_run: int,
    failed_before: int,
    can_be_resumed: bool,
) -> None:
    from l2sweep.analysis.table import print_sweep_table

    results = [result for result, _ in measured]
    if results:
        console.print()
        print_sweep_table(console, [(result.point, summaries) for result, summaries in measured])
    failed = sum(result.exit_code != 0 for result in results)
    counts = [f"{len(results) - failed} of {len(plan.points)} points measured"]
    if to_run < len(plan.points):
        of_them = f", {failed_before} of them failed" if failed_before else ""
        counts.append(f"{len(plan.points) - to_run} ended before{of_them}")
    if failed:
        counts.append(f"{failed} failed")
    if len(results) < to_run:
        counts.append(f"{to_run - len(results)} not run")
    if plan.left_out:
        counts.append(f"{len(plan.left_out)} left out")
    console.print(f"\nSweep {sweep.sweep_id}: {', '.join(counts)}", markup=False)
    if can_be_resumed and (failed or len(results) < to_run):
        place = "" if sweep.results_dir == "results" else f" results_dir={sweep.results_dir}"
        console.print(f"To go on: python -m l2sweep resume={sweep.sweep_id}{place}", markup=False)
    if not any(result.rounds for result in results):
        return
    console.print("To read what was recorded:", markup=False)
    console.print(f'  import pandas as pd; pd.read_parquet("{sweep.results_dir}/rounds")', markup=False)
    console.print(f'  import l2sweep; l2sweep.load_rounds("{sweep.results_dir}")', markup=False)


def _summaries(point: PointConfig, result: PointResult) -> list[OperationSummary]:
    operations = (summarise(phase, result.rounds) for phase in point.phases)
    return [summary for summary in operations if summary.rounds]
