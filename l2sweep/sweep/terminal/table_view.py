"""The view of a sweep with many points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.bench.messages import Message
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import STOPPED
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.state.manifest import MANIFEST, sweep_folder
from l2sweep.sweep.terminal.naming import describe, varied_options
from l2sweep.sweep.terminal.progress import SweepProgress
from l2sweep.sweep.terminal.record_location import keys_left_lines, lost_line, record_location
from l2sweep.sweep.terminal.results.result_rows import result_rows
from l2sweep.sweep.terminal.results.result_table import print_result_table


class TableView:
    """Show the progress of a sweep, then a table of all results.

    Args:
        console: The console to print to.
        sweep: The options of the sweep.
        can_be_resumed: Whether to print the command that resumes the sweep.
    """

    def __init__(self, console: Console, sweep: SweepConfig, *, can_be_resumed: bool = True) -> None:
        self._console = console
        self._sweep = sweep
        self._can_be_resumed = can_be_resumed
        self._progress = SweepProgress(console)
        self._ended: list[PointResult] = []
        self._lost: Mapping[int, str] = {}
        self._planned = self._to_run = self._skipped = self._failed_before = 0

    def planned(self, plan: Plan, to_run: Sequence[PlannedPoint], failed_before: int) -> None:
        """Print a line for each skipped point, and add the points to run to the progress."""
        varied = varied_options(plan.configs)
        for skipped in plan.skipped:
            self.note(f"skipped: {describe(skipped.config, varied)}: {skipped.reason}")
        self._planned += len(plan.points)
        self._to_run += len(to_run)
        self._skipped += len(plan.skipped)
        self._failed_before += failed_before
        self._progress.add([planned.config for planned in to_run], len(plan.skipped))
        if to_run:
            self._progress.show()

    def note(self, text: str) -> None:
        """Print a line of text."""
        self._console.print(text, markup=False, soft_wrap=True)

    def started(self, planned: PlannedPoint) -> None:
        """Show the point that runs now."""
        self._progress.started(planned.config)

    def message(self, message: Message) -> None:
        """Show the phase of the running point and the throughput of its last round."""
        self._progress.message(message)

    def ended(self, planned: PlannedPoint, result: PointResult, summaries: Sequence[PhaseSummary]) -> None:
        """Advance the progress, and print a line for the point."""
        self._ended.append(result)
        self._progress.ended(planned.config, result.point, list(summaries))

    def lost(self, lost: Mapping[int, str]) -> None:
        """Keep the records that cannot be read back: their points do not count as measured."""
        self._lost = lost

    def finished(self) -> None:
        """Print the table, the counts, the keys that were not deleted, and where the records are."""
        self._progress.hide()
        if self._console.quiet:  # laying out a table of many rows takes seconds
            return
        results = self._ended
        if results:
            self._console.print()
            rounds = [row for result in results for row in result.rounds]
            points = [row for result in results for row in result.points]
            print_result_table(self._console, result_rows(rounds, points))
        self.note(f"\nSweep {self._sweep.sweep_id}: {', '.join(self._counts(results))}")
        if self._lost:
            self._console.print(lost_line(self._lost), markup=False, soft_wrap=True, style="bold red")
        is_measured = all(result.exit_code == 0 for result in results)
        is_unfinished = self._has_manifest() if self._lost else not is_measured or len(results) < self._to_run
        if self._can_be_resumed and is_unfinished:
            place = "" if self._sweep.results_dir == "results" else f" results_dir={self._sweep.results_dir}"
            self.note(f"To resume: python -m l2sweep resume={self._sweep.sweep_id}{place}")
        for line in keys_left_lines(results):
            self.note(line)
        for line in record_location(self._sweep.results_dir, results):
            self.note(line)

    def _has_manifest(self) -> bool:
        return (sweep_folder(self._sweep) / MANIFEST).is_file()

    def _counts(self, results: Sequence[PointResult]) -> list[str]:
        there = [one for one in results if one.point["point_index"] not in self._lost]
        lost_before = len(self._lost) - (len(results) - len(there))
        stopped = sum(result.exit_code == STOPPED for result in there)
        failed = sum(result.exit_code != 0 for result in there) - stopped
        counts = {
            "measured before": self._planned - self._to_run - self._failed_before - lost_before,
            "failed before": self._failed_before,
            "failed": failed,
            "stopped": stopped,
            "lost": len(self._lost),
            "not run": self._to_run - len(results),
            "skipped": self._skipped,
        }
        measured = f"{len(there) - failed - stopped} of {self._planned} points measured"
        return [measured, *(f"{count} {name}" for name, count in counts.items() if count > 0)]
