"""Stores of new keys and prefetches of stored keys at the same time, as production's controllers run them.

Each side has a thread that submits, and runs its rounds one after another. A side that is ready first goes on
with rounds that are not reported until the other one is ready too, so that every reported round has company.
Between its rounds a side prepares payload or checks it, and the other one is alone: ``beside_fraction`` of a
round says for how much of its time the other side had submits in flight.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.phase import Phase
from l2sweep.bench.rounds.schedule import RoundSchedule, RoundsEnd, ScheduledRound
from l2sweep.bench.workload import Workload


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
    phase: Phase
    needed: int
    measured: list[RoundMeasured] = field(default_factory=list)
    is_ended: bool = False
    error: BaseException | None = None

    @property
    def is_ready(self) -> bool:
        return self.is_ended or len(self.measured) >= self.needed

    def run(self) -> None:
        try:
            for one in self.phase.run():
                self.measured.append(one)
        except BaseException as error:  # raised again in the thread that waits
            self.error = error
        finally:
            self.is_ended = True


def run_mixed(
    store: Phase, load: Phase, new_rounds: Sequence[int], stored_rounds: Sequence[int]
) -> dict[str, list[RoundMeasured]]:
    """Run both phases at the same time.

    Args:
        store: A store phase that has not run.
        load: A load phase that has not run.
        new_rounds: Rounds of keys that are not stored yet.
        stored_rounds: Rounds of keys that are stored.

    Returns:
        The rounds of ``mixed_store`` and ``mixed_load``, warm-up rounds first. A phase that ended early has
        fewer rounds than the workload asks for.
    """
    workload = store.job.workload
    sides = {
        "mixed_store": _Side(store, workload.total_rounds),
        "mixed_load": _Side(load, workload.total_rounds),
    }
    stores, loads = sides.values()

    def is_needed() -> bool:
        return not (stores.is_ready and loads.is_ready) and not (stores.is_ended or loads.is_ended)

    store.schedule = _OpenSchedule(workload, new_rounds, is_needed)
    load.schedule = _OpenSchedule(workload, _again(stored_rounds), is_needed)
    threads = [threading.Thread(target=side.run, name=name) for name, side in sides.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for side in sides.values():
        if side.error is not None:
            raise side.error
    return {
        name: _reported(name, own.measured, other.measured, workload)
        for name, own, other in (("mixed_store", stores, loads), ("mixed_load", loads, stores))
    }


def _again(rounds: Sequence[int]) -> Iterator[int]:
    while True:
        yield from rounds


def _reported(
    name: str, own: Sequence[RoundMeasured], other: Sequence[RoundMeasured], workload: Workload
) -> list[RoundMeasured]:
    reported = []
    for position, one in enumerate(own[: workload.total_rounds]):
        beside = _beside_fraction(one, other)
        one = replace(
            one,
            phase=name,
            round=position + 1,
            is_warmup=position < workload.warmup_rounds,
            beside_fraction=beside,
        )
        if not beside and one.status == "ok":
            one = replace(one, status="error", detail="nothing was in flight beside it")
        reported.append(one)
    return reported


def _beside_fraction(one: RoundMeasured, others: Iterable[RoundMeasured]) -> float | None:
    """Return the share of a round in which one of the others was in flight."""
    if one.started_at_s is None or not one.elapsed_s:
        return None
    start, end = one.started_at_s, one.started_at_s + one.elapsed_s
    shared = sum(
        max(0.0, min(end, other.started_at_s + other.elapsed_s) - max(start, other.started_at_s))
        for other in others
        if other.started_at_s is not None and other.elapsed_s
    )
    return min(1.0, shared / one.elapsed_s)
