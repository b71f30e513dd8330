"""The view of a single point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from l2sweep import __version__
from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.bench.messages import Accepted, AdapterCreated, Message, Note, PhaseStarted, RoundMeasured
from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.terminal import point_report as report
from l2sweep.sweep.terminal.naming import describe
from l2sweep.sweep.terminal.record_location import keys_left_lines, lost_line, record_location


class PointView:
    """Show each round of a single point as it ends, then a report, in the format of ``lmcache bench l2``.

    Args:
        console: The console to print to.
        sweep: The options of the sweep.
    """

    def __init__(self, console: Console, sweep: SweepConfig) -> None:
        self._console = console
        self._sweep = sweep
        self._point: PointConfig | None = None
        self._shown: set[type[Message]] = set()
        self._results: list[PointResult] = []

    def planned(self, plan: Plan, to_run: Sequence[PlannedPoint], failed_before: int) -> None:
        """Print nothing: the only point starts next."""

    def note(self, text: str) -> None:
        """Print a line of text."""
        self._line(text)

    def started(self, planned: PlannedPoint) -> None:
        """Keep the point, which the report describes."""
        self._point = planned.config

    def message(self, message: Message) -> None:
        """Print a line for a phase, a round or a note."""
        assert self._point is not None
        if isinstance(message, Accepted | AdapterCreated):
            if type(message) not in self._shown:  # a cold point has a process per phase
                self._show_start(self._point, message)
            self._shown.add(type(message))
        elif isinstance(message, PhaseStarted):
            self._line()
            self._line(report.phase_line(message.phase, self._point.amount))
        elif isinstance(message, RoundMeasured):
            self._line(report.round_line(vars(message)), style=None if message.status == "ok" else "red")
        elif isinstance(message, Note):
            self._line(f"[Note] {message.text}")

    def ended(self, planned: PlannedPoint, result: PointResult, summaries: Sequence[PhaseSummary]) -> None:
        """Print the report."""
        self._results.append(result)
        self._line()
        loads = [summary for summary in summaries if summary.phase == "load"]
        if loads and loads[0].rounds and not planned.config.skip_verify:
            self._line(report.verify_line(loads[0]) + "\n")
        if any(summary.rounds for summary in summaries):
            self._line(report.sections(result.point, summaries, result.rounds))
        if result.exit_code:
            self._line(f"{result.point['status']}: {result.point['detail']}", style="bold red")

    def lost(self, lost: Mapping[int, str]) -> None:
        """Print the records that cannot be read back."""
        self._line(lost_line(lost), style="bold red")

    def finished(self) -> None:
        """Print which keys were not deleted, and where the records and the log file are."""
        for line in keys_left_lines(self._results):
            self._line(line, style="red")
        for line in record_location(self._sweep.results_dir, self._results):
            self._line(line)

    def _show_start(self, point: PointConfig, message: Accepted | AdapterCreated) -> None:
        if isinstance(message, Accepted):
            self._line(f"l2sweep {__version__}, LMCache {message.lmcache_version}: {describe(point)}")
            self._line("\n[Init] Creating adapter...")
        else:
            self._line(f"[Init] Adapter created successfully ({message.adapter_class}).")

    def _line(self, text: str = "", style: str | None = None) -> None:
        self._console.print(text, markup=False, soft_wrap=True, style=style)
