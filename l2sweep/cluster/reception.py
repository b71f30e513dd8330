"""The reception of the launcher: it listens on one interface, and lets workers with the token join."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading
from dataclasses import dataclass
from typing import TypeVar

from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.handshake import MOST_HANDSHAKE_BYTES, Introduction, RefusedError, receive_worker
from l2sweep.errors import RequestError, shown

_WAITING = 512  # connections that the kernel keeps: all hosts may connect at the same time
# Strangers could open any number of connections, each of which takes a thread for 10 s at most.
_MOST_AT_ONCE = 256


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
        port: The port on which it listens.

    Raises:
        RequestError: It cannot listen there.
    """

    def __init__(self, host: str, port: int, token: str, size: int) -> None:
        self._token, self._size = token, size
        self._joined: queue.SimpleQueue[Joined] = queue.SimpleQueue()
        self._refused: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._listener = socket.create_server(found[4][:2], family=found[0], backlog=_WAITING)
        except OSError as error:
            reason = error.strerror or str(error)
            place = f"{shown(host)}:{port}"
            raise RequestError(
                [f"cluster.rendezvous={place}: must be an address of this host and a free port: {reason}"]
            ) from error
        self.port: int = self._listener.getsockname()[1]
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *error: object) -> None:
        """Listen no more."""
        self._is_closed = True
        with contextlib.suppress(OSError):  # the thread that waits in accept(2) ends
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def fileno(self) -> int:
        """Return the descriptor that can be read when a worker has joined or was refused, for select(2)."""
        return self._wake

    def joined(self) -> list[Joined]:
        """Return the workers that have joined since the last call."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        return _all_of(self._joined)

    def refused(self) -> list[str]:
        """Return why workers were refused since the last call. Those without the token are not in it."""
        return _all_of(self._refused)

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                connected, address = self._listener.accept()
            except OSError:
                return
            if not self._room.acquire(blocking=False):
                connected.close()
                continue
            threading.Thread(target=self._receive, args=(connected, address[0]), daemon=True).start()

    def _receive(self, connected: socket.socket, address: str) -> None:
        connection = None
        try:
            connection = Connection(connected, MOST_HANDSHAKE_BYTES)
            worker = receive_worker(connection, self._token, self._size)
            self._joined.put(Joined(connection, worker))
        except RefusedError as error:
            connected.close()
            self._refused.put(f"a worker at {address} was refused: {error}")
        except (LineLostError, OSError):
            connected.close()
        finally:
            self._room.release()
            os.eventfd_write(self._wake, 1)


_T = TypeVar("_T")


def _all_of(items: queue.SimpleQueue[_T]) -> list[_T]:
    found = []
    with contextlib.suppress(queue.Empty):
        while True:
            found.append(items.get_nowait())
    return found
