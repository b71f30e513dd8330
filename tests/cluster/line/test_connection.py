"""A connection carries one JSON object in each line, and says why it was lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from line_pair import connected, connected_sockets

from l2sweep.cluster.line.connection import Connection, LineLostError

LIMIT_S = 20.0


@pytest.fixture
def raw_and_end() -> Iterator[tuple[socket.socket, Connection]]:
    """One end as a plain socket, and the other one as a connection that takes lines of 100 bytes."""
    raw, other = connected_sockets()
    end = Connection(other, 100)
    yield raw, end
    raw.close()
    end.close()


def arrived(end: Connection, count: int) -> list[dict[str, Any]]:
    """Return messages as soon as there are enough of them."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += end.arrived()
    return found


def forever(step: Callable[[], object]) -> None:
    """Repeat a step until it raises an exception."""
    while True:
        step()


def test_what_one_end_sends_the_other_one_receives() -> None:
    with connected() as (first, second):
        first.send({"text": "ä\n", "number": float("inf"), "none": None})
        assert second.receive(LIMIT_S) == {"text": "ä\n", "number": float("inf"), "none": None}
        second.send({"n": 1})
        second.send({"n": 2})
        assert arrived(first, 2) == [{"n": 1}, {"n": 2}]
        assert list(first.arrived()) == []
        assert first.peer_address == second.peer_address == "127.0.0.1"


def test_a_line_may_arrive_in_pieces_and_several_in_one_piece(
    raw_and_end: tuple[socket.socket, Connection],
) -> None:
    raw, end = raw_and_end
    raw.sendall(b'{"n"')
    assert list(end.arrived()) == []
    raw.sendall(b': 1}\n{"n": 2}\n{"n"')
    assert arrived(end, 2) == [{"n": 1}, {"n": 2}]
    raw.sendall(b": 3}\n")
    assert end.receive(LIMIT_S) == {"n": 3}


def test_a_message_behind_the_received_one_is_kept(raw_and_end: tuple[socket.socket, Connection]) -> None:
    raw, end = raw_and_end
    raw.sendall(b'{"n": 1}\n{"n": 2}\n')
    assert end.receive(LIMIT_S) == {"n": 1}
    assert list(end.arrived()) == [{"n": 2}]  # although nothing can be read from the socket


def test_whoever_handles_a_message_may_read_the_next_one() -> None:
    with connected() as (first, second):
        for number in range(3):
            first.send({"n": number})
        seen = []
        while len(seen) < 3:
            for message in second.arrived():
                seen.append(message["n"])
                seen += [inner["n"] for inner in second.arrived()]
        assert seen == [0, 1, 2]


@pytest.mark.parametrize("sent", [b"x" * 101, b'{"n": "' + b"x" * 200 + b'"}\n', b'{"n": 1}\n' + b"x" * 101])
def test_a_line_that_is_too_long_ends_the_connection(
    raw_and_end: tuple[socket.socket, Connection], sent: bytes
) -> None:
    raw, end = raw_and_end
    raw.sendall(sent)
    with pytest.raises(LineLostError, match=r"^it sent a message that is too long$"):
        forever(lambda: list(end.arrived()))
    assert end.is_lost


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n", b"[1]\n", b"1\n", b"\xff\xfe\n", b"\n", b"[" * 90 + b"\n", b'"\\ud800"\n']
)
def test_what_is_no_json_object_ends_the_connection(
    raw_and_end: tuple[socket.socket, Connection], sent: bytes
) -> None:
    raw, end = raw_and_end
    raw.sendall(sent)
    with pytest.raises(LineLostError, match=r"^it sent what is not a message$"):
        end.receive(LIMIT_S)
    assert end.is_lost


def test_nested_lists_without_an_end_are_no_message() -> None:
    raw, other = connected_sockets()
    end = Connection(other, 1 << 20)
    raw.sendall(b"[" * (1 << 19) + b"\n")
    with pytest.raises(LineLostError, match="not a message"):
        end.receive(LIMIT_S)
    raw.close()
    end.close()


def test_the_last_messages_are_yielded_before_the_end_is_told() -> None:
    with connected() as (first, second):
        first.send({"n": 1})
        first.send({"n": 2})
        first.close()
        seen = []

        def read() -> None:
            for message in second.arrived():
                seen.append(message["n"])

        with pytest.raises(LineLostError, match=r"^the connection was closed$"):
            forever(read)
        assert seen == [1, 2]
        assert second.problem == "the connection was closed"


def test_messages_that_came_with_the_end_are_yielded_first() -> None:
    with connected() as (first, second):
        first.send({"n": 1})
        first.close()
        assert second.receive(LIMIT_S) == {"n": 1}
        with pytest.raises(LineLostError, match="closed"):
            second.receive(LIMIT_S)


def test_a_message_must_be_here_as_a_whole_in_time(raw_and_end: tuple[socket.socket, Connection]) -> None:
    raw, end = raw_and_end
    has_ended = threading.Event()

    def drip() -> None:
        while not has_ended.wait(0.01):
            raw.sendall(b" ")

    thread = threading.Thread(target=drip)
    thread.start()
    end.longest_line_bytes = 1 << 30
    try:
        with pytest.raises(LineLostError, match=r"^it did not answer$"):
            end.receive(0.2)
    finally:
        has_ended.set()
        thread.join()


def test_nothing_can_be_sent_over_a_connection_that_was_lost() -> None:
    with connected() as (first, second):
        second.close()
        with pytest.raises(LineLostError):
            forever(lambda: first.send({"n": 1}))  # the kernel takes the first ones
        assert first.is_lost
        assert first.problem


def test_two_threads_may_send() -> None:
    with connected() as (first, second):
        text = "x" * 5000

        def send(sender: int) -> None:
            for number in range(50):
                first.send({"sender": sender, "n": number, "text": text})

        threads = [threading.Thread(target=send, args=(sender,)) for sender in range(3)]
        for thread in threads:
            thread.start()
        messages = arrived(second, 150)
        for thread in threads:
            thread.join()
        for sender in range(3):
            assert [one["n"] for one in messages if one["sender"] == sender] == list(range(50))


def test_the_kernel_is_told_to_look_after_hosts_that_are_cut_off() -> None:
    first, second = connected_sockets()
    end = Connection(first, 100)
    assert first.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    idle, again, times = (
        first.getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    )
    assert idle + again * times <= 20
    assert first.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 20_000
    end.close()
    second.close()
