"""Stores of new keys and loads of stored keys at the same time, from two threads.

LMCache's store controller and its prefetch controller also call one adapter from a thread each: the first one
its stores, the second one its lookups and loads (``StoreController._store_loop``,
``PrefetchController._prefetch_loop``). So an adapter must allow these calls at the same time.

Each side has a thread that submits, and runs its rounds one after another. Between its rounds a side prepares
payload or checks it, and the other one is alone. So a round counts only if the other side was in flight for
at least half of it, and a round that failed always does. Both sides go on until both have their rounds.
"""

from __future__ import annotations

import bisect
import gc
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from l2sweep.bench.job import MIXED_PHASES
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.phase import Phase
from l2sweep.bench.rounds.schedule import RoundSchedule, RoundsEnd, ScheduledRound
from l2sweep.bench.workload import Workload

# Less, and a round would mostly say what its side does alone. With 1, short rounds would seldom count.
_LEAST_BESIDE = 0.5


class _OpenSchedule(RoundSchedule):
    """Rounds until they are no longer needed.

    Args:
        workload: The workload of the point.
        indices: The rounds whose keys are used.
        is_needed: Returns whether another round is needed.
    """

    def __init__(self, workload: Workload, indices: Iterable[int], is_needed: Callable[[], bool]) -> None:
        super().__init__(workload)
        self.end = RoundsEnd()
        self._indices = indices
        self._is_needed = is_needed

    def __iter__(self) -> Iterator[ScheduledRound]:
        """Yield the rounds."""
        for index in self._indices:
            if not self._is_needed():
                return
            yield ScheduledRound(index, is_warmup=False)

    def add(self, duration_s: float | None) -> None:
        """Ignore the duration."""

    def not_run(self, first: int) -> list[ScheduledRound]:
        """Return no round: those that are missing are reported by :func:`run_mixed`."""
        return []


@dataclass
class _Side:
    """One of the two phases.

    Attributes:
        phase: The phase.
        needed: Number of rounds to report.
        measured: All rounds, in their order.
        counted: Those that count, with their ``beside_fraction``.
        is_ended: Whether its thread has ended.
        error: What ended it, if it was an exception.
    """

    phase: Phase
    needed: int
    measured: list[RoundMeasured] = field(default_factory=list)
    counted: list[RoundMeasured] = field(default_factory=list)
    is_ended: bool = False
    error: BaseException | None = None
    _settled: int = 0

    @property
    def is_ready(self) -> bool:
        return self.is_ended or len(self.counted) >= self.needed

    def run(self) -> None:
        try:
            for one in self.phase.run():
                self.measured.append(one)
        except BaseException as error:  # raised again in the thread that waits
            self.error = error
        finally:
            self.is_ended = True

    def settle(self, other: _Side) -> None:
        """Count the rounds of which it is known whether the other side was beside them."""
        while self._settled < len(self.measured):
            one = self.measured[self._settled]
            last = other.measured[-1] if other.measured else None
            if not other.is_ended and (last is None or _end(last) < _end(one)):
                return
            self._settled += 1
            beside = _beside_fraction(one, other.measured)
            if one.status != "ok" or beside is None or beside >= _LEAST_BESIDE:
                self.counted.append(replace(one, beside_fraction=beside))


def run_mixed(store: Phase, load: Phase) -> dict[str, list[RoundMeasured]]:
    """Run both phases at the same time.

    Args:
        store: A store phase that has not run, with memory of its own. It stores keys that are not stored yet.
        load: A load phase that has not run, with memory of its own. It loads the keys of the store phase.

    Returns:
        The rounds of ``mixed_store`` and ``mixed_load``, warm-up rounds first. There are fewer than the
        workload asks for if a phase ended early, or too few rounds had the other side beside them.
    """
    workload = store.job.workload
    phases = zip(MIXED_PHASES, (store, load), strict=True)
    sides = {name: _Side(phase, workload.total_rounds) for name, phase in phases}
    stores, loads = sides.values()
    lock = threading.Lock()

    def is_needed() -> bool:
        with lock:
            stores.settle(loads)
            loads.settle(stores)
            return not (stores.is_ended or loads.is_ended or (stores.is_ready and loads.is_ready))

    store.schedule = _OpenSchedule(workload, store.job.key_layout.later_rounds, is_needed)
    load.schedule = _OpenSchedule(workload, itertools.cycle(range(workload.total_rounds)), is_needed)
    threads = [threading.Thread(target=side.run, name=name) for name, side in sides.items()]
    gc.disable()  # the end of a round of one side must not enable it within a round of the other one
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.enable()
    for side in sides.values():
        if side.error is not None:
            raise side.error
    is_needed()  # counts the last rounds
    return {name: _reported(name, side.counted, workload) for name, side in sides.items()}


def _reported(name: str, counted: Sequence[RoundMeasured], workload: Workload) -> list[RoundMeasured]:
    return [
        replace(one, phase=name, round=position + 1, is_warmup=position < workload.warmup_rounds)
        for position, one in enumerate(counted[: workload.total_rounds])
    ]


def _end(one: RoundMeasured) -> float:
    """Return when a round ended, in seconds since the epoch; one that was not run ended before any other."""
    return 0.0 if one.started_at_s is None else one.started_at_s + (one.elapsed_s or 0.0)


def _beside_fraction(one: RoundMeasured, others: Sequence[RoundMeasured]) -> float | None:
    """Return the share of a round in which one of the others was in flight; None if it was not run.

    Args:
        one: The round.
        others: The rounds of the other side, in their order.
    """
    if one.started_at_s is None or not one.elapsed_s:
        return None
    start, end = one.started_at_s, _end(one)
    shared = 0.0
    for other in others[bisect.bisect_left(others, start, key=_end) :]:
        if other.started_at_s is None:
            continue
        if other.started_at_s >= end:
            break
        shared += min(end, _end(other)) - max(start, other.started_at_s)
    return min(1.0, shared / one.elapsed_s)
