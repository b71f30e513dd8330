"""The offset between two clocks: the true one is within the error that is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from l2sweep.bench.rendezvous import clock_offset
from l2sweep.bench.rendezvous.address import Rendezvous
from l2sweep.bench.rendezvous.clock_offset import SAME_CLOCK, ClockOffset, answer_clocks, ask_clock
from l2sweep.bench.rendezvous.meeting import Meeting
from l2sweep.errors import BenchError

LIMIT_S = 20.0


def name_key(number: int, what: str) -> str:
    return f"{number}/{what}"


class Delayed:
    """A store whose ways have delays, as seen by the host that asks.

    Args:
        store: The store.
        there_s: Before a question is there, in seconds.
        back_s: Before an answer is here.
    """

    def __init__(self, store: Any, there_s: float, back_s: float) -> None:
        self._store, self._there_s, self._back_s = store, there_s, back_s

    def set(self, key: str, value: str) -> None:
        time.sleep(self._there_s)
        self._store.set(key, value)

    def wait(self, keys: list[str], limit: timedelta) -> None:
        self._store.wait(keys, limit)
        time.sleep(self._back_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def store() -> Any:
    from torch.distributed import HashStore

    return HashStore()


Compare = Callable[[float, float, float], ClockOffset]


@pytest.fixture
def compare(pool: ThreadPoolExecutor, store: Any) -> Compare:
    """Compare a clock with another one that is ahead by some seconds."""

    def compare(ahead_s: float, there_s: float, back_s: float) -> ClockOffset:
        answered = pool.submit(answer_clocks, store, name_key, LIMIT_S, lambda: time.time() + ahead_s)
        found = ask_clock(Delayed(store, there_s, back_s), name_key, LIMIT_S)  # type: ignore[arg-type]
        answered.result(LIMIT_S)
        return found

    return compare


@pytest.mark.parametrize("ahead_s", [0.0, 3600.0, -0.25])
@pytest.mark.parametrize(("there_s", "back_s"), [(0.0, 0.0), (0.02, 0.02), (0.04, 0.0), (0.0, 0.04)])
def test_the_true_offset_is_within_the_error_also_if_one_way_is_slower(
    compare: Compare, ahead_s: float, there_s: float, back_s: float
) -> None:
    found = compare(ahead_s, there_s, back_s)
    assert abs(found.offset_s - ahead_s) <= found.error_s
    assert found.error_s >= (there_s + back_s) / 2  # half of the round trip, and never less


def test_a_way_that_is_as_slow_there_as_back_gives_the_middle(compare: Compare) -> None:
    """The error bound is what can be known. Here the estimate itself is nearer to the truth."""
    lopsided, even = compare(5.0, 0.05, 0.0), compare(5.0, 0.025, 0.025)
    assert lopsided.offset_s - 5.0 >= 0.02  # the answer left late: half of the difference of both ways
    assert abs(even.offset_s - 5.0) <= even.error_s


def test_no_key_stays_in_the_store(compare: Compare, store: Any) -> None:
    compare(0.0, 0.0, 0.0)
    assert store.num_keys() == 0


class Timetable:
    """A store whose round trips take given times, by a clock of its own.

    Args:
        trips_s: How long each question is on its way; answers take no time.
    """

    def __init__(self, trips_s: list[float]) -> None:
        self._trips_s = iter(trips_s)
        self.now_s = 100.0

    def set(self, key: str, value: str) -> None:
        self.now_s += next(self._trips_s)

    def get(self, key: str) -> bytes:
        return repr(self.now_s).encode()

    def wait(self, keys: list[str], limit: timedelta) -> None:
        """Wait for nothing."""

    def delete_key(self, key: str) -> None:
        """Keep nothing."""


def test_the_shortest_round_trip_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Timetable([4.0, 3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    monkeypatch.setattr(clock_offset, "time", SimpleNamespace(perf_counter=lambda: store.now_s))
    found = ask_clock(store, name_key, LIMIT_S, lambda: store.now_s)  # type: ignore[arg-type]
    assert found == ClockOffset(offset_s=0.5, error_s=0.5)  # the whole second was the way there


@pytest.mark.parametrize("ask", [ask_clock, answer_clocks])
def test_who_gets_no_answer_does_not_wait_for_ever(store: Any, ask: Callable[..., object]) -> None:
    with pytest.raises(RuntimeError):
        ask(store, name_key, 0.1)


def meetings_of(store: Any, remote: tuple[int, ...]) -> list[Meeting]:
    places = [Rendezvous("token", rank, 3, remote=remote) for rank in range(3)]
    return [Meeting(place, store) for place in places]


def test_only_the_clients_of_other_hosts_compare_their_clocks(pool: ThreadPoolExecutor, store: Any) -> None:
    meetings = meetings_of(store, remote=(1, 2))
    for _ in range(2):  # before each phase
        for one in [pool.submit(meeting.compare_clocks, LIMIT_S) for meeting in meetings]:
            one.result(LIMIT_S)
    assert meetings[0].clock == SAME_CLOCK
    assert meetings[0].clock_columns() == {"clock_offset_s": 0.0, "clock_error_s": 0.0}
    for meeting in meetings[1:]:
        assert 0 < meeting.clock.error_s < LIMIT_S
        assert abs(meeting.clock.offset_s) <= meeting.clock.error_s
        assert meeting.clock_columns() == {
            "clock_offset_s": meeting.clock.offset_s,
            "clock_error_s": meeting.clock.error_s,
        }


def test_a_client_beside_client_0_has_its_clock(pool: ThreadPoolExecutor, store: Any) -> None:
    meetings = meetings_of(store, remote=(2,))
    for one in [pool.submit(meeting.compare_clocks, LIMIT_S) for meeting in meetings]:
        one.result(LIMIT_S)
    assert [meeting.clock == SAME_CLOCK for meeting in meetings] == [True, True, False]


def test_clients_of_one_host_compare_nothing(store: Any) -> None:
    for meeting in meetings_of(store, remote=()):
        meeting.compare_clocks(0.1)
        assert meeting.clock_columns() == {}
    assert store.num_keys() == 0


def test_a_client_that_does_not_answer_ends_the_meeting(pool: ThreadPoolExecutor, store: Any) -> None:
    first, second, third = meetings_of(store, remote=(1, 2))
    ways = [pool.submit(first.compare_clocks, 0.2), pool.submit(second.compare_clocks, LIMIT_S)]
    third.meet(LIMIT_S)  # and then it asks nothing
    with pytest.raises(BenchError, match=r"^the clocks cannot be compared: "):
        ways[0].result(LIMIT_S)
    ways[1].result(LIMIT_S)
    with pytest.raises(BenchError, match="the clocks cannot be compared"):
        first.meet(LIMIT_S)
    for one in [pool.submit(meeting.meet, LIMIT_S) for meeting in (second, third)]:
        one.result(LIMIT_S)  # they do not wait for it
    with pytest.raises(BenchError, match=r"client 0 left: the clocks cannot be compared"):
        second.meet(LIMIT_S)


def test_the_keys_of_a_comparison_cannot_be_guessed() -> None:
    place = Rendezvous("token", 1, 2, remote=(1,))
    assert place.key("clock", 1, 1, 0, "ask") != replace(place, token="guess").key("clock", 1, 1, 0, "ask")
