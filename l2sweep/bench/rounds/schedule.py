"""Decide which rounds a phase runs: a fixed number, or until they are enough."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from l2sweep.bench.rounds.steadiness import SMALLEST_SAMPLE, is_drifting, is_looked_at, relative_half_width
from l2sweep.bench.workload import Workload


@dataclass(frozen=True)
class ScheduledRound:
    """One round of a phase.

    Attributes:
        index: The round, counted from 0, warm-up rounds first. Its keys follow from it.
        is_warmup: Whether it is a warm-up round.
    """

    index: int
    is_warmup: bool


@dataclass(frozen=True)
class RoundsEnd:
    """Why the rounds of a phase ended. A text is empty where the number of rounds was fixed.

    Attributes:
        ended_by: ``precision``, ``max_rounds``, ``max_seconds``, or ``stored_rounds``: a lookup or load used
            the keys of all rounds that were stored. Empty also for a phase that did not come to its end.
        warmup_ended_by: ``steady``, ``max_warmup_rounds`` or ``stored_rounds``.
        precision: Half-width of the 95% interval of the median duration, divided by the median; None if the
            number of rounds was fixed or too small.
    """

    ended_by: str = ""
    warmup_ended_by: str = ""
    precision: float | None = None


class RoundSchedule:
    """The rounds of one phase. Iterate over it, and add the duration of each round before the next one.

    Args:
        workload: The workload of the point.
        stored_rounds: Number of rounds whose keys the phase can use; None: as many as it may run. A fixed
            number of rounds runs anyway, and those without keys fail.
        now: Returns seconds of a clock that only moves forward.
    """

    def __init__(
        self,
        workload: Workload,
        stored_rounds: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workload = workload
        self._total = workload.total_rounds
        if workload.rounds_are_open and stored_rounds is not None:
            self._total = stored_rounds
        self._now = now
        self._started_s: float | None = None  # of the measured rounds
        self._warmups: list[float] = []
        self._measured: list[float] = []
        self._warmup_ended_by = ""
        self.end = RoundsEnd()

    def __iter__(self) -> Iterator[ScheduledRound]:
        """Yield the rounds until the phase ends; then :attr:`end` says why."""
        index = 0
        while not self._is_warm():
            yield ScheduledRound(index, is_warmup=True)
            index += 1
        self._started_s = self._now()
        while not self._is_measured():
            yield ScheduledRound(index, is_warmup=False)
            index += 1

    def add(self, duration_s: float | None) -> None:
        """Add the duration of the round that was yielded last.

        Args:
            duration_s: The duration; None if it has none.
        """
        of_part = self._warmups if self._started_s is None else self._measured
        of_part.append(math.inf if duration_s is None else duration_s)

    def not_run(self, first: int) -> list[ScheduledRound]:
        """Return the rounds to report as not run, where a phase cannot go on.

        Args:
            first: The first round that is not run.

        Returns:
            All later rounds; one where their number is open.
        """
        workload = self._workload
        if workload.rounds_are_open:
            return [ScheduledRound(first, is_warmup=False)] if first < self._total else []
        return [
            ScheduledRound(index, is_warmup=index < workload.warmup_rounds)
            for index in range(first, workload.total_rounds)
        ]

    def _is_warm(self) -> bool:
        workload, number = self._workload, len(self._warmups)
        if not workload.warmup_auto:
            return number >= min(workload.warmup_rounds, self._total)
        needed = workload.rounds if workload.precision is None else SMALLEST_SAMPLE
        if not is_drifting(self._warmups):
            self._warmup_ended_by = "steady"
        elif number >= workload.warmup_rounds:
            self._warmup_ended_by = "max_warmup_rounds"
        elif number >= self._total - needed:
            self._warmup_ended_by = "stored_rounds"
        return bool(self._warmup_ended_by)

    def _is_measured(self) -> bool:
        workload, number = self._workload, len(self._measured)
        most = min(workload.rounds, self._total - len(self._warmups))
        if workload.precision is None:
            self.end = RoundsEnd(warmup_ended_by=self._warmup_ended_by)
            return number >= most
        ended_by = ""
        if is_looked_at(number, most) and self._is_precise(workload.precision):
            ended_by = "precision"
        elif number >= most:
            ended_by = "max_rounds" if number >= workload.rounds else "stored_rounds"
        elif number and self._elapsed_s >= (workload.max_seconds or math.inf):
            ended_by = "max_seconds"
        if ended_by:
            precision = relative_half_width(self._measured)
            self.end = RoundsEnd(ended_by, self._warmup_ended_by, precision)
        return bool(ended_by)

    def _is_precise(self, precision: float) -> bool:
        reached = relative_half_width(self._measured)
        return reached is not None and reached < precision

    @property
    def _elapsed_s(self) -> float:
        return 0.0 if self._started_s is None else self._now() - self._started_s
