"""What a person sees of a sweep: the report of one point, or the progress and the table of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rich.console import Console

from l2sweep import __version__
from l2sweep.analysis.statistics import OperationSummary
from l2sweep.bench.messages import Accepted, AdapterCreated, Message, Note, PhaseStarted, RoundMeasured
from l2sweep.config.point import PointConfig, SweepConfig
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.point_attempt import PointResult
from l2sweep.sweep.terminal import point_report as report
from l2sweep.sweep.terminal.naming import describe, varied_options
from l2sweep.sweep.terminal.progress import SweepProgress
from l2sweep.sweep.terminal.result_table import print_sweep_table


class SweepView(Protocol):
    """Shows a sweep while it runs and when it has ended."""

    def planned(self, plan: Plan, to_run: Sequence[PlannedPoint], failed_before: int) -> None:
        """Show what is about to run; a search calls this once for each trial."""

    def note(self, text: str) -> None:
        """Show a line."""

    def started(self, planned: PlannedPoint) -> None:
        """Show which point runs now."""

    def message(self, message: Message) -> None:
        """Show what the point's process reports."""

    def ended(
        self, planned: PlannedPoint, result: PointResult, summaries: Sequence[OperationSummary]
    ) -> None:
        """Show how a point ended."""

    def finished(self) -> None:
        """Show the result of all points."""


class PointView:
    """Shows a single point as it runs, in the shape of ``lmcache bench l2``, and its full report.

    Args:
        console: Where to print.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._point: PointConfig | None = None
        self._shown: set[type[Message]] = set()

    def planned(self, plan: Plan, to_run: Sequence[PlannedPoint], failed_before: int) -> None:
        """Show nothing: there is one point, and it is about to start."""

    def note(self, text: str) -> None:
        """Print a line."""
        self._line(text)

    def started(self, planned: PlannedPoint) -> None:
        """Remember the point, whose report is printed."""
        self._point = planned.config

    def message(self, message: Message) -> None:
        """Print a line for a phase, a round or a note."""
        assert self._point is not None
        if isinstance(message, Accepted | AdapterCreated):
            if type(message) not in self._shown:  # once, however many processes the point has
                self._show_start(self._point, message)
            self._shown.add(type(message))
        elif isinstance(message, PhaseStarted):
            self._line()
            self._line(report.phase_line(message.phase, self._point.warmup_rounds, self._point.rounds))
        elif isinstance(message, RoundMeasured):
            self._line(report.round_line(vars(message)), style=None if message.status == "ok" else "red")
        elif isinstance(message, Note):
            self._line(f"[Note] {message.text}")

    def ended(
        self, planned: PlannedPoint, result: PointResult, summaries: Sequence[OperationSummary]
    ) -> None:
        """Print the full report."""
        self._line()
        loads = [summary for summary in summaries if summary.operation == "load"]
        if loads and not planned.config.skip_verify:
            self._line(report.verify_line(loads[0]) + "\n")
        if summaries:
            self._line(report.sections(result.point, summaries))
        if result.exit_code:
            self._line(f"{result.point['status']}: {result.point['detail']}", style="bold red")
            self._line(f"log: {result.point['log_file']}")

    def finished(self) -> None:
        """Print nothing more: the report is complete."""

    def _show_start(self, point: PointConfig, message: Accepted | AdapterCreated) -> None:
        if isinstance(message, Accepted):
            self._line(f"l2sweep {__version__}, LMCache {message.lmcache_version}: {describe(point)}")
            self._line("\n[Init] Creating adapter...")
        else:
            self._line(f"[Init] Adapter created successfully ({message.adapter_class}).")

    def _line(self, text: str = "", style: str | None = None) -> None:
        self._console.print(text, markup=False, soft_wrap=True, style=style)


class TableView:
    """Shows the progress of many points, and a table of all results at the end.

    Args:
        console: Where to print.
        sweep: What holds for all points.
        can_be_resumed: Whether a command that resumes the sweep is printed at the end.
    """

    def __init__(self, console: Console, sweep: SweepConfig, *, can_be_resumed: bool = True) -> None:
        self._console = console
        self._sweep = sweep
        self._can_be_resumed = can_be_resumed
        self._progress = SweepProgress(console)
        self._measured: list[tuple[PointResult, Sequence[OperationSummary]]] = []
        self._planned = self._to_run = self._skipped = self._failed_before = 0

    def planned(self, plan: Plan, to_run: Sequence[PlannedPoint], failed_before: int) -> None:
        """Print a line for each skipped point, and add the others to the progress."""
        varied = varied_options(plan.configs)
        for left in plan.left_out:
            self.note(f"left out: {describe(left.config, varied)}: {left.reason}")
        self._planned += len(plan.points)
        self._to_run += len(to_run)
        self._skipped += len(plan.left_out)
        self._failed_before += failed_before
        self._progress.add([planned.config for planned in to_run], len(plan.left_out))
        if to_run:
            self._progress.show()

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def started(self, planned: PlannedPoint) -> None:
        """Show which point runs now."""
        self._progress.started(planned.config)

    def message(self, message: Message) -> None:
        """Show the phase of the running point and the speed of its last round."""
        self._progress.message(message)

    def ended(
        self, planned: PlannedPoint, result: PointResult, summaries: Sequence[OperationSummary]
    ) -> None:
        """Count the point and print a line for it."""
        self._measured.append((result, summaries))
        self._progress.ended(planned.config, result.point, list(summaries))

    def finished(self) -> None:
        """Print the table, the counts, and how to continue and to read the records."""
        self._progress.hide()
        results = [result for result, _ in self._measured]
        if results:
            self._console.print()
            print_sweep_table(
                self._console, [(result.point, summaries) for result, summaries in self._measured]
            )
        failed = sum(result.exit_code != 0 for result in results)
        counts = [f"{len(results) - failed} of {self._planned} points measured"]
        if ended_before := self._planned - self._to_run:
            of_them = f", {self._failed_before} of them failed" if self._failed_before else ""
            counts.append(f"{ended_before} ended before{of_them}")
        if failed:
            counts.append(f"{failed} failed")
        if len(results) < self._to_run:
            counts.append(f"{self._to_run - len(results)} not run")
        if self._skipped:
            counts.append(f"{self._skipped} left out")
        self.note(f"\nSweep {self._sweep.sweep_id}: {', '.join(counts)}")
        if self._can_be_resumed and (failed or len(results) < self._to_run):
            place = "" if self._sweep.results_dir == "results" else f" results_dir={self._sweep.results_dir}"
            self.note(f"To go on: python -m l2sweep resume={self._sweep.sweep_id}{place}")
        if any(result.rounds for result in results):
            self.note("To read what was recorded:")
            self.note(f'  import pandas as pd; pd.read_parquet("{self._sweep.results_dir}/rounds")')
            self.note(f'  import l2sweep; l2sweep.load_rounds("{self._sweep.results_dir}")')
