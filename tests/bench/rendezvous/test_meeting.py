"""The meeting of the clients: who waits for whom, who is named, and what a stranger can do."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from l2sweep.bench.rendezvous import meeting as meeting_module
from l2sweep.bench.rendezvous.address import LOCAL_HOST, Rendezvous
from l2sweep.bench.rendezvous.meeting import Meeting, joined
from l2sweep.errors import BenchError

LIMIT_S = 20.0


def places_of(size: int) -> list[Rendezvous]:
    """Return where the clients of one host meet, once for each of them."""
    token = secrets.token_hex(16)
    return [Rendezvous(token, rank, size) for rank in range(size)]


Join = Callable[[int], list[Meeting]]


@pytest.fixture
def port() -> list[int]:
    return []


@pytest.fixture
def join(port: list[int]) -> Iterator[Join]:
    """Let some clients join one meeting."""
    entered: list[Any] = []

    def enter(rendezvous: Rendezvous) -> Meeting:
        entered.append(joined(rendezvous, port.append))
        meeting = entered[-1].__enter__()
        assert isinstance(meeting, Meeting)
        return meeting

    def make(size: int) -> list[Meeting]:
        places = places_of(size)
        first = enter(places[0])
        return [first, *(enter(place.at(port[0])) for place in places[1:])]

    yield make
    for one in entered[::-1]:
        one.__exit__(None, None, None)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def meet(pool: ThreadPoolExecutor, meetings: list[Meeting], limit_s: float = LIMIT_S) -> list[Future[None]]:
    return [pool.submit(meeting.meet, limit_s) for meeting in meetings]


def test_nobody_leaves_before_the_last_one_is_here(join: Join, pool: ThreadPoolExecutor) -> None:
    first, *others, last = join(4)
    early = meet(pool, [first, *others])
    with pytest.raises(TimeoutError):
        early[0].result(0.2)
    assert not any(one.done() for one in early)
    last.meet(LIMIT_S)
    for one in early:
        one.result(LIMIT_S)


def test_clients_meet_as_often_as_they_want_and_leave_few_keys(join: Join, pool: ThreadPoolExecutor) -> None:
    meetings = join(3)
    for _ in range(10):
        for one in meet(pool, meetings):
            one.result(LIMIT_S)
    assert meetings[0]._store.num_keys() <= 10  # two barriers of three clients, and what the store has


def test_a_client_that_does_not_arrive_is_named_to_all_others(join: Join, pool: ThreadPoolExecutor) -> None:
    meetings = join(4)
    waiting = meet(pool, [meetings[0], meetings[2]], limit_s=0.2)
    for one in waiting:
        with pytest.raises(BenchError, match=r"^client 1, client 3 did not arrive within 0 s$"):
            one.result(LIMIT_S)


def test_a_client_that_is_late_does_not_wait_for_those_that_gave_up(
    join: Join, pool: ThreadPoolExecutor
) -> None:
    first, late = join(2)
    with pytest.raises(BenchError, match="client 1 did not arrive"):
        first.meet(0.1)
    late.meet(LIMIT_S)  # the other one was there
    late.meet(LIMIT_S)  # the other one left here
    with pytest.raises(BenchError, match="client 0 left: client 1 did not arrive"):
        late.meet(LIMIT_S)


def test_a_client_that_leaves_ends_the_meeting_with_its_reason(join: Join, pool: ThreadPoolExecutor) -> None:
    meetings = join(3)
    for one in meet(pool, meetings):
        one.result(LIMIT_S)
    meetings[1].leave("load: not run: no memory")
    for one in meet(pool, [meetings[0], meetings[2]]):
        one.result(LIMIT_S)  # they do not wait for it
    for meeting in (meetings[0], meetings[2]):
        with pytest.raises(BenchError, match="client 1 left: load: not run: no memory"):
            meeting.meet(LIMIT_S)
        with pytest.raises(BenchError, match="client 1 left"):
            meeting.meet(LIMIT_S)


def test_a_client_that_fails_leaves(join: Join, port: list[int], pool: ThreadPoolExecutor) -> None:
    places = places_of(2)

    def fail() -> None:
        with joined(places[1].at(port[0]), port.append):
            raise BenchError("no memory")

    with joined(places[0], port.append) as first:
        assert first is not None
        with pytest.raises(BenchError, match="no memory"):
            pool.submit(fail).result(LIMIT_S)
        first.meet(LIMIT_S)
        with pytest.raises(BenchError, match="client 1 left: BenchError: no memory"):
            first.meet(LIMIT_S)


def test_a_meeting_whose_first_client_is_gone_fails(monkeypatch: pytest.MonkeyPatch, join: Join) -> None:
    from torch.distributed import HashStore

    monkeypatch.setattr(meeting_module, "_END_LIMIT_S", 0.1)
    first, second = join(2)
    first._store = HashStore()  # the other one is closed with the last reference to it
    with pytest.raises(BenchError, match="the rendezvous of the clients failed"):
        second.meet(0.5)


def test_the_first_client_ends_behind_the_others_because_it_has_the_store(
    port: list[int], pool: ThreadPoolExecutor
) -> None:
    places = places_of(2)
    has_failed, may_end = threading.Event(), threading.Event()

    def run_first() -> None:
        with joined(places[0], port.append):
            has_failed.set()
            raise BenchError("no memory")

    def run_second() -> str:
        with joined(places[1].at(port[0]), port.append) as meeting:
            assert meeting is not None
            meeting.meet(LIMIT_S)
            may_end.wait(LIMIT_S)
            with pytest.raises(BenchError) as failed:
                meeting.meet(LIMIT_S)
        return str(failed.value)

    first = pool.submit(run_first)
    assert has_failed.wait(LIMIT_S)
    second = pool.submit(run_second)
    with pytest.raises(TimeoutError):
        first.result(0.2)
    may_end.set()
    assert second.result(LIMIT_S) == "client 0 left: BenchError: no memory"
    with pytest.raises(BenchError, match="no memory"):
        first.result(LIMIT_S)


def test_one_client_needs_no_meeting(port: list[int]) -> None:
    with joined(None, port.append) as meeting:
        assert meeting is None
    assert port == []


def test_it_listens_on_the_given_interface_only(join: Join, port: list[int]) -> None:
    join(1)
    with socket.create_connection((LOCAL_HOST, port[0]), timeout=5):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port[0]), timeout=5)


def test_a_stranger_cannot_say_that_a_client_has_arrived(
    join: Join, port: list[int], pool: ThreadPoolExecutor
) -> None:
    from torch.distributed import TCPStore

    first, second = join(2)
    waiting = meet(pool, [first])
    stranger = TCPStore(LOCAL_HOST, port[0], is_master=False, timeout=timedelta(seconds=5))
    guessed = replace(first._rendezvous, token="guessed")
    for rank in range(2):
        stranger.set(guessed.key(1, rank), "here")
    assert first._rendezvous.key(1, 0) in stranger.list_keys()  # this one has arrived
    with pytest.raises(TimeoutError):
        waiting[0].result(0.2)
    second.meet(LIMIT_S)
    waiting[0].result(LIMIT_S)


def test_a_stranger_that_sends_something_else_does_not_disturb_the_meeting(
    join: Join, port: list[int], pool: ThreadPoolExecutor
) -> None:
    meetings = join(2)
    with socket.create_connection((LOCAL_HOST, port[0]), timeout=5) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        for one in meet(pool, meetings):
            one.result(LIMIT_S)


def test_a_key_cannot_be_told_from_another_one() -> None:
    first, second = places_of(2)
    assert first.token == second.token
    assert first.key(1, 0) == second.key(1, 0)
    assert len({first.key(1, 0), first.key(1, 1), first.key(2, 0), places_of(2)[0].key(1, 0)}) == 4
    assert first.token not in first.key(1, 0)
