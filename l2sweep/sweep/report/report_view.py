"""The view that adds the final report, as JSON on standard output or in a file, to another view."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.bench.messages import Message
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.report.json_report import Results, json_report
from l2sweep.sweep.report.report_file import write_report
from l2sweep.sweep.terminal.console import PLAIN_WIDTH, progress_console
from l2sweep.sweep.terminal.point_report import sections
from l2sweep.sweep.terminal.record_location import lost_line
from l2sweep.sweep.terminal.results.result_rows import result_rows
from l2sweep.sweep.terminal.results.result_table import print_result_table
from l2sweep.sweep.terminal.view import SweepView


def view_with_report(
    sweep: SweepConfig, make_view: Callable[[Console], SweepView], *, is_single: bool = False
) -> SweepView:
    """Return a view that also writes the report that the options of a sweep ask for.

    Args:
        sweep: The options of the sweep.
        make_view: Makes the view that shows the progress on a console.
        is_single: Whether a text report is that of a single point, and not a table.
    """
    view = make_view(progress_console(sweep))
    if sweep.report_format == "text" and sweep.report_file is None:
        return view
    return ReportView(view, sweep, is_single=is_single)


class ReportView:
    """Pass everything on to another view, and write the report at the end.

    Args:
        view: The other view.
        sweep: The options of the sweep.
        is_single: Whether a text report is that of a single point, and not a table.
    """

    def __init__(self, view: SweepView, sweep: SweepConfig, *, is_single: bool) -> None:
        self._view = view
        self._sweep = sweep
        self._is_single = is_single
        self._results: list[tuple[PointResult, Sequence[PhaseSummary]]] = []
        self._notes: list[str] = []

    def planned(self, plan: Plan, to_run: Sequence[PlannedPoint], failed_before: int) -> None:
        """Pass the plan on."""
        self._view.planned(plan, to_run, failed_before)

    def note(self, text: str) -> None:
        """Pass the note on, and keep it for the report."""
        self._notes.append(text)
        self._view.note(text)

    def started(self, planned: PlannedPoint) -> None:
        """Pass the point on."""
        self._view.started(planned)

    def message(self, message: Message) -> None:
        """Pass the message on."""
        self._view.message(message)

    def ended(self, planned: PlannedPoint, result: PointResult, summaries: Sequence[PhaseSummary]) -> None:
        """Pass the result on, and keep it for the report."""
        self._results.append((result, summaries))
        self._view.ended(planned, result, summaries)

    def lost(self, lost: Mapping[int, str]) -> None:
        """Pass the records on, and keep the line about them for the report."""
        self._notes.append(lost_line(lost))
        self._view.lost(lost)

    def finished(self) -> None:
        """Write the report.

        Raises:
            BenchError: The file cannot be written. The report on standard output was written.
        """
        self._view.finished()
        sweep = self._sweep
        if sweep.report_format == "json":
            text = json_report(sweep, self._results, self._notes)
            if not sweep.quiet:
                sys.stdout.write(f"{text}\n")
                sys.stdout.flush()
        else:
            text = _text(self._results, is_single=self._is_single)
        if sweep.report_file is not None:
            write_report(sweep.report_file, text)


def _text(results: Results, *, is_single: bool) -> str:
    """Return the report of a single point as sections, or that of several points as a table."""
    if is_single:
        parts = [sections(one.point, summaries, one.rounds) for one, summaries in results if summaries]
        parts += [f"{one.point['status']}: {one.point['detail']}" for one, _ in results if one.exit_code]
        return "\n".join(parts)
    file = io.StringIO()
    console = Console(file=file, width=PLAIN_WIDTH, highlight=False)
    rounds = [row for result, _ in results for row in result.rounds]
    points = [row for result, _ in results for row in result.points]
    print_result_table(console, result_rows(rounds, points))
    return file.getvalue().rstrip("\n")
