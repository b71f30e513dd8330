"""Run the points of a sweep one after another on this host; a cluster runs them on several hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from l2sweep.bench.messages import Message
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import STOPPED
from l2sweep.interrupts import requested
from l2sweep.sweep.attempt.host_attempt import SweepContext
from l2sweep.sweep.attempt.point_attempt import PointResult, run_attempt
from l2sweep.sweep.plan import Plan, PlannedPoint

if TYPE_CHECKING:
    from l2sweep.sweep.session import SweepSession
    from l2sweep.sweep.terminal.view import SweepView


class Todo:
    """The points that may still start.

    Args:
        points: All points, in their order.
        session: Knows the time budget.
        view: Shows why no further point starts.
        sweep: The options of the sweep.
    """

    def __init__(
        self, points: Iterable[PlannedPoint], session: SweepSession, view: SweepView, sweep: SweepConfig
    ) -> None:
        self._points = iter(points)
        self._session, self._view, self._sweep = session, view, sweep
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        """Whether no further point may start, also none that was taken before."""
        if not self._has_ended and requested():
            self._session.note(STOPPED)
            self.end()
        if not self._has_ended and self._session.is_over_budget(self._sweep.budget.minutes):
            self._view.note(f"budget.minutes={self._sweep.budget.minutes} are used up")
            self.end()
        return self._has_ended

    def take(self) -> PlannedPoint | None:
        """Return the next point; None if there is none, or none may start any more."""
        return None if self.has_ended else next(self._points, None)

    def end(self) -> None:
        """Let no further point start."""
        self._has_ended = True


class PointRun(Protocol):
    """Shows points while they run."""

    def started(self, planned: PlannedPoint) -> None:
        """Show a point that starts."""

    def message(self, message: Message) -> None:
        """Show a message of the running point."""


class Crew(Protocol):
    """Several hosts, which run the points of a sweep.

    Attributes:
        size: Number of hosts.
    """

    size: int

    def check(self, plan: Plan, to_run: Sequence[PlannedPoint], sweep: SweepConfig) -> None:
        """Wait for the hosts, and let each of them check the points before one of them runs.

        Args:
            plan: All points of the sweep.
            to_run: The points that are not measured yet.
            sweep: The options of the sweep.

        Raises:
            RequestError: A host cannot run them. The problem names the host.
            BenchError: The hosts cannot be reached.
        """

    def run(
        self, context: SweepContext, todo: Todo, show: PointRun
    ) -> Iterator[tuple[PlannedPoint, PointResult]]:
        """Run points and yield the result of each as soon as it ends.

        Args:
            context: The sweep.
            todo: The points. One is taken when it can soon run.
            show: Shows the points that run.

        Raises:
            BenchError: The hosts cannot be reached, or rows cannot be written.
        """


def one_after_another(
    context: SweepContext, todo: Todo, show: PointRun
) -> Iterator[tuple[PlannedPoint, PointResult]]:
    """Run points on this host and yield the result of each: as :meth:`Crew.run`."""
    while (planned := todo.take()) is not None:
        show.started(planned)
        yield planned, run_attempt(context, planned, show.message)
