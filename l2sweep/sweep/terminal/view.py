"""The interface through which a sweep shows its progress and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from l2sweep.analysis.statistics import PhaseSummary
from l2sweep.bench.messages import Message
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint


class SweepView(Protocol):
    """Shows a sweep while it runs and after it ended."""

    def planned(self, plan: Plan, to_run: Sequence[PlannedPoint], failed_before: int) -> None:
        """Show what is about to run. A search calls this once per trial.

        Args:
            plan: All points.
            to_run: The points that are not measured yet.
            failed_before: Number of points that failed in an earlier run and are not run again.
        """

    def note(self, text: str) -> None:
        """Show a line of text."""

    def started(self, planned: PlannedPoint) -> None:
        """Show the point that runs now."""

    def message(self, message: Message) -> None:
        """Show a message of the benchmark process of the running point."""

    def ended(self, planned: PlannedPoint, result: PointResult, summaries: Sequence[PhaseSummary]) -> None:
        """Show the result of a point.

        Args:
            planned: The point.
            result: Its rows.
            summaries: The statistics of each requested phase.
        """

    def lost(self, lost: Mapping[int, str]) -> None:
        """Take note of records that cannot be read back, before :meth:`finished`.

        Args:
            lost: By the index of the point, which file cannot be read and why.
        """

    def finished(self) -> None:
        """Show the result of the whole sweep."""
