"""The reception of the launcher: workers join, and strangers disturb nobody."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from l2sweep.cluster import reception as reception_module
from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.handshake import (
    HANDSHAKE_S,
    MOST_HANDSHAKE_BYTES,
    Introduction,
    RefusedError,
    SweepEndedError,
    introduce,
)
from l2sweep.cluster.reception import Joined, Reception
from l2sweep.errors import RequestError

TOKEN = "the token of this test"
HOST = "127.0.0.1"
LIMIT_S = 20.0


@pytest.fixture
def reception() -> Iterator[Reception]:
    with Reception(HOST, 0, TOKEN, 2) as reception:
        yield reception


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def port_of(reception: Reception) -> int:
    return int(reception.place.rpartition(":")[2])


def connect(reception: Reception) -> socket.socket:
    return socket.create_connection((HOST, port_of(reception)), LIMIT_S)


def join(reception: Reception, own: Introduction, token: str = TOKEN) -> Connection:
    connection = Connection(connect(reception), MOST_HANDSHAKE_BYTES)
    try:
        introduce(connection, token, own)
    except BaseException:
        connection.close()
        raise
    return connection


def joined(reception: Reception) -> Joined:
    """Wait for a worker."""
    give_up_at = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_at:
        select.select([reception], [], [], 0.1)
        if found := reception.joined():
            (one,) = found
            return one
    pytest.fail("no worker has joined")


def refused(reception: Reception) -> str:
    """Wait until a worker is refused."""
    give_up_at = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_at:
        if found := reception.refused():
            (one,) = found
            return one
        time.sleep(0.01)
    pytest.fail("no worker was refused")


def test_a_worker_joins_and_both_sides_can_talk(reception: Reception) -> None:
    own = Introduction.here(1, 2)
    with closing(join(reception, own)) as worker:
        one = joined(reception)
        assert one.worker == own
        worker.send({"n": 1})
        assert one.connection.receive(LIMIT_S) == {"n": 1}
        assert reception.joined() == []
        one.connection.close()


def test_a_worker_that_joins_while_the_sweep_ends_is_told(
    reception: Reception, pool: ThreadPoolExecutor
) -> None:
    reception.end()
    with pytest.raises(SweepEndedError, match=r"^the sweep has ended$"):
        join(reception, Introduction.here(1, 2))
    assert reception.joined() == []
    assert reception.refused() == []


def test_the_end_waits_for_handshakes_that_have_begun(
    reception: Reception, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "_END_S", 10 * LIMIT_S)
    slow = connect(reception)
    assert slow.recv(1)
    end = pool.submit(reception.end)
    with pytest.raises(TimeoutError):
        end.result(0.2)
    slow.close()
    end.result(LIMIT_S)


def test_the_end_waits_for_workers_that_try_again(
    reception: Reception, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "_END_S", 10 * LIMIT_S)
    monkeypatch.setattr(reception_module, "_TRIES_AGAIN_S", 10 * LIMIT_S)
    first, second = Introduction.here(1, 2), Introduction.here(1, 2)
    with closing(join(reception, first)):
        with pytest.raises(LineLostError, match="another worker has rank 1"):
            join(reception, second)
        end = pool.submit(reception.end)
        with pytest.raises(TimeoutError):
            end.result(0.2)
        with pytest.raises(SweepEndedError):
            join(reception, second)
        end.result(LIMIT_S)
        joined(reception).connection.close()


def test_the_end_does_not_wait_for_a_stranger_that_says_nothing(
    reception: Reception, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception_module, "_END_S", 0.1)
    with connect(reception) as stranger:
        assert stranger.recv(1)
        pool.submit(reception.end).result(HANDSHAKE_S / 2)


def test_a_stranger_that_says_nothing_delays_nobody(reception: Reception) -> None:
    strangers = [connect(reception) for _ in range(5)]
    with closing(join(reception, Introduction.here(0, 2))):
        joined(reception).connection.close()
    for stranger in strangers:
        stranger.close()


def test_of_many_strangers_those_that_are_too_many_are_sent_away(
    reception: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    reception._room = type(reception._room)(3)
    strangers = []
    for _ in range(3):
        strangers.append(connect(reception))
        assert strangers[-1].recv(1)  # its handshake has begun
    with connect(reception) as another:
        assert another.recv(1) == b""
    with pytest.raises(LineLostError):
        join(reception, Introduction.here(0, 2))
    for stranger in strangers:
        stranger.close()
    give_up_at = time.monotonic() + LIMIT_S
    while time.monotonic() < give_up_at:  # a worker tries again
        try:
            join(reception, Introduction.here(0, 2)).close()
            break
        except LineLostError:
            time.sleep(0.01)
    joined(reception).connection.close()


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100_000, b"[" * 10_000 + b"\n", b'{"proof": "\\ud800"}\n', b"{}\n"],
)
def test_a_stranger_that_sends_garbage_is_sent_away(reception: Reception, sent: bytes) -> None:
    with connect(reception) as stranger:
        stranger.sendall(sent)
        try:
            while stranger.recv(1000):
                pass
        except ConnectionResetError:  # it had sent more than was read
            pass
    with closing(join(reception, Introduction.here(0, 2))):
        joined(reception).connection.close()


def test_a_worker_without_the_token_is_refused_and_told_to_the_user(reception: Reception) -> None:
    with pytest.raises(RefusedError, match="token"):
        join(reception, Introduction.here(1, 2), "another token, as long")
    assert refused(reception) == (
        f"a worker at {HOST} was refused: it does not have the token of the launcher"
    )
    assert reception.joined() == []


def test_a_worker_with_another_version_is_told_with_both(reception: Reception) -> None:
    own = Introduction.here(1, 2)
    with pytest.raises(RefusedError):
        join(reception, replace(own, versions={**own.versions, "lmcache": "0.0.1"}))
    named = f"{own.machine.host} has lmcache 0.0.1, and the launcher has {own.versions['lmcache']}"
    assert refused(reception) == f"a worker at {HOST} was refused: {named}"


def test_a_rank_has_one_worker_and_another_one_waits(reception: Reception) -> None:
    first = join(reception, Introduction.here(1, 2))
    has_rank = joined(reception)
    with pytest.raises(LineLostError, match="another worker has rank 1, on "):
        join(reception, Introduction.here(1, 2))
    first.close()
    with pytest.raises(LineLostError):
        list(has_rank.connection.arrived()) or has_rank.connection.receive(LIMIT_S)
    has_rank.connection.close()
    second = join(reception, Introduction.here(1, 2))  # the launcher has noticed
    joined(reception).connection.close()
    second.close()


def test_a_worker_that_was_cut_off_joins_again_before_the_launcher_has_noticed(reception: Reception) -> None:
    own = Introduction.here(1, 2)
    with closing(join(reception, own)):
        before = joined(reception)
        with closing(join(reception, own)):
            after = joined(reception)
            assert after.connection is not before.connection
            after.connection.close()
        before.connection.close()


def test_of_two_workers_that_join_at_the_same_time_one_gets_the_rank(
    reception: Reception, pool: ThreadPoolExecutor
) -> None:
    tries: list[Future[Connection]] = [
        pool.submit(join, reception, Introduction.here(1, 2)) for _ in range(8)
    ]
    errors = [one.exception(LIMIT_S) for one in tries]
    assert [isinstance(error, LineLostError) for error in errors if error is not None] == [True] * 7
    joined(reception).connection.close()
    for one in tries:
        if one.exception() is None:
            one.result().close()


def test_it_listens_on_the_given_interface_only(reception: Reception) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port_of(reception)), LIMIT_S)


def test_it_listens_on_an_address_of_ipv6() -> None:
    with Reception("::1", 0, TOKEN, 2) as reception:
        assert reception.place == f"[::1]:{port_of(reception)}"
        connection = Connection(
            socket.create_connection(("::1", port_of(reception)), LIMIT_S), MOST_HANDSHAKE_BYTES
        )
        introduce(connection, TOKEN, Introduction.here(0, 2))
        one = joined(reception)
        assert one.connection.peer_address == "::1"
        one.connection.close()
        connection.close()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("0.0.0.0", "workers cannot connect to all interfaces"),
        ("::", "workers cannot connect to all interfaces"),
        ("192.0.2.1", os.strerror(errno.EADDRNOTAVAIL)),
    ],
)
def test_where_it_cannot_listen_is_told_in_one_line(host: str, reason: str) -> None:
    with pytest.raises(RequestError) as refused:
        Reception(host, 29500, TOKEN, 2)
    (problem,) = refused.value.problems
    assert problem.startswith(f"cluster.rendezvous={host}:29500: must be an address of this host")
    assert reason in problem


def test_a_name_that_nobody_knows_is_told_in_one_line() -> None:
    with pytest.raises(RequestError, match=r"cluster\.rendezvous=no\.such\.host\.invalid:29500: must be"):
        Reception("no.such.host.invalid", 29500, TOKEN, 2)


def test_a_port_that_is_taken_is_told_in_one_line(reception: Reception) -> None:
    with pytest.raises(RequestError, match=os.strerror(errno.EADDRINUSE)):
        Reception(HOST, port_of(reception), TOKEN, 2)


def test_an_error_of_accept_does_not_end_the_reception(
    reception: Reception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when this process has too many open files for a moment."""
    monkeypatch.setattr(reception_module, "_PAUSE_S", 0.01)
    listener = reception._listener
    failures = iter([OSError(errno.EMFILE, "too many"), OSError(errno.ECONNABORTED, "aborted")])

    class Failing:
        def accept(self) -> tuple[socket.socket, object]:
            if (error := next(failures, None)) is not None:
                raise error
            return listener.accept()

        def __getattr__(self, name: str) -> object:
            return getattr(listener, name)

    reception._listener = Failing()  # type: ignore[assignment]
    connect(reception).close()  # the thread waits in accept(2) of the real one
    with closing(join(reception, Introduction.here(0, 2))):
        joined(reception).connection.close()
    assert next(failures, None) is None


def test_nobody_can_connect_once_it_is_closed(reception: Reception) -> None:
    with Reception(HOST, 0, TOKEN, 2) as another:
        port = port_of(another)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), LIMIT_S)
