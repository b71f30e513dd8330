"""The reception of the launcher: it listens on one interface, and lets workers with the token join."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import queue
import socket
import threading
import time
from dataclasses import dataclass
from typing import TypeVar

from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.handshake import (
    MOST_HANDSHAKE_BYTES,
    Introduction,
    RefusedError,
    SweepEndedError,
    receive_worker,
)
from l2sweep.cluster.membership import host_and_port
from l2sweep.errors import BenchError, RequestError, shown
from l2sweep.interrupts import hurried

_WAITING = 512  # connections that the kernel keeps: all hosts may connect at the same time
# Strangers could open any number of connections, each of which takes a thread for 10 s at most.
_MOST_AT_ONCE = 256
# A worker that cannot join tries again after half a second.
_TRIES_AGAIN_S = 5.0
_END_S = 3.0
_END_LOOK_S = 0.02
_PAUSE_S = 0.1  # after an error of accept(2), such as too many open files


@dataclass(frozen=True)
class Joined:
    """A worker that has joined.

    Attributes:
        connection: To the worker.
        worker: What it told of itself.
    """

    connection: Connection
    worker: Introduction


class Reception(contextlib.AbstractContextManager["Reception"]):
    """Listens for workers. Each handshake has a thread, so that a stranger who says nothing delays nobody.

    Args:
        host: Name or address of the interface to listen on, and on no other.
        port: The port; 0: a free one.
        token: The token.
        size: Number of hosts.

    Attributes:
        place: Where it listens, as ``HOST:PORT``.

    Raises:
        RequestError: It cannot listen there.
    """

    def __init__(self, host: str, port: int, token: str, size: int) -> None:
        self._token, self._size = token, size
        self._joined: queue.SimpleQueue[Joined] = queue.SimpleQueue()
        self._refused: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._last: dict[int, Joined] = {}
        self._tried_at: dict[str, float] = {}  # by its id, when a worker was told to try again
        self._handshakes = 0
        self._has_ended = False
        self._lock = threading.Lock()
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            if ipaddress.ip_address(str(found[4][0]).partition("%")[0]).is_unspecified:
                raise OSError("workers cannot connect to all interfaces")
            self._listener = socket.create_server(found[4][:2], family=found[0], backlog=_WAITING)
        except OSError as error:
            reason = error.strerror or str(error)
            place = f"{shown(host)}:{port}"
            raise RequestError(
                [f"cluster.rendezvous={place}: must be an address of this host and a free port: {reason}"]
            ) from error
        port = self._listener.getsockname()[1]
        self.place = host_and_port(host, port)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        """Listen no more."""
        self._is_closed = True
        with contextlib.suppress(OSError):  # the thread that waits in accept(2) ends
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def end(self) -> None:
        """Let no worker join any more. Those that try are told that the sweep has ended.

        It waits a short time for handshakes that have begun, and for workers that were told to try again.
        """
        with self._lock:
            self._has_ended = True
        give_up_at = time.monotonic() + _END_S
        while self._is_expected() and time.monotonic() < give_up_at and not hurried():
            time.sleep(_END_LOOK_S)

    def fileno(self) -> int:
        """Return the descriptor that can be read when a worker has joined or was refused, for select(2)."""
        return self._wake

    def joined(self) -> list[Joined]:
        """Return the workers that have joined since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        return _all_of(self._joined)

    def refused(self) -> list[str]:
        """Return why workers were refused since the last call."""
        return _all_of(self._refused)

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                connected, address = self._listener.accept()
            except OSError:  # closed, or only this connection failed: accept(2), "Error handling"
                time.sleep(_PAUSE_S)
                continue
            if not self._room.acquire(blocking=False):
                connected.close()
                continue
            with self._lock:
                self._handshakes += 1
            threading.Thread(target=self._receive, args=(connected, address[0]), daemon=True).start()

    def _receive(self, connected: socket.socket, address: str) -> None:
        try:
            connection = Connection(connected, MOST_HANDSHAKE_BYTES)

            def why_taken(worker: Introduction) -> str:
                return self._why_taken(Joined(connection, worker))

            try:
                worker = receive_worker(connection, self._token, self._size, why_taken)
            except BenchError:
                connection.close()
                raise
            self._joined.put(Joined(connection, worker))
        except RefusedError as error:
            self._refused.put(f"a worker at {address} was refused: {error}")
        except (SweepEndedError, LineLostError, OSError):
            connected.close()
        finally:
            with self._lock:
                self._handshakes -= 1
            self._room.release()
            os.eventfd_write(self._wake, 1)

    def _why_taken(self, new: Joined) -> str:
        """Return why a worker cannot have its rank; empty if it can, and then it has it.

        Raises:
            SweepEndedError: No worker can join any more.
        """
        rank, own_id = new.worker.rank, new.worker.worker_id
        with self._lock:
            self._tried_at.pop(own_id, None)
            if self._has_ended:
                raise SweepEndedError("the sweep has ended")
            before = self._last.get(rank)
            if before and not before.connection.is_lost and before.worker.worker_id != own_id:
                self._tried_at[own_id] = time.monotonic()
                return f"another worker has rank {rank}, on {before.worker.machine.host}"
            self._last[rank] = new
        return ""

    def _is_expected(self) -> bool:
        """Whether a worker is about to join, or to try again."""
        with self._lock:
            latest = max(self._tried_at.values(), default=-math.inf)
            return self._handshakes > 0 or time.monotonic() - latest < _TRIES_AGAIN_S


_T = TypeVar("_T")


def _all_of(items: queue.SimpleQueue[_T]) -> list[_T]:
    found = []
    with contextlib.suppress(queue.Empty):
        while True:
            found.append(items.get_nowait())
    return found
