"""Cristian's algorithm over a store whose trips take a known time."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any, cast

import pytest

from l2sweep.bench.rendezvous import clock_offset
from l2sweep.bench.rendezvous.clock_offset import ask_clock


class FarStore:
    """A store on another host, whose clock is ahead. A trip takes a different time in each comparison.

    As TCPStore does, ``set`` waits for no answer, ``wait`` for one, and ``get`` for two.

    Args:
        trips_s: Seconds of a trip in one direction, for each comparison.
        ahead_s: How far the clock of the other host is ahead, in seconds.
    """

    def __init__(self, trips_s: list[float], ahead_s: float) -> None:
        self.now_s = 1000.0
        self._trips_s = itertools.cycle(trips_s)
        self._ahead_s = ahead_s
        self._answer = ""

    def now(self) -> float:
        return self.now_s

    def set(self, key: str, value: str) -> None:
        self._trip_s = next(self._trips_s)
        self._answer = repr(self.now_s + self._trip_s + self._ahead_s)

    def wait(self, keys: list[str], limit: timedelta) -> None:
        self.now_s += 2 * self._trip_s

    def get(self, key: str) -> bytes:
        self.now_s += 4 * self._trip_s
        return self._answer.encode()

    def delete_key(self, key: str) -> bool:
        self.now_s += 2 * self._trip_s
        return True


@pytest.mark.parametrize("ahead_s", [0.0, 3.0, -0.5])
def test_the_offset_is_that_of_the_shortest_trip_and_its_error_half_of_the_way_there_and_back(
    ahead_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FarStore([0.005, 0.001, 0.020], ahead_s)
    monkeypatch.setattr(clock_offset.time, "perf_counter", store.now)
    found = ask_clock(cast(Any, store), lambda number, what: f"{number}-{what}", 60, store.now)
    assert found.offset_s == pytest.approx(ahead_s)
    assert found.error_s == pytest.approx(0.001)
