"""A connection that carries JSON objects, one in each line."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from l2sweep.cluster.line.readable import readable
from l2sweep.errors import BenchError

# A host that is cut off sends nothing, not even that it ends. The kernel asks it: tcp(7). The numbers are a
# choice: a switch that restarts takes a few seconds.
_IDLE_S, _ASK_AGAIN_S, _ASK_TIMES = 5, 5, 3
_UNANSWERED_S = 20
_SEND_LIMIT_S = 60.0
_CHUNK_BYTES = 1 << 18
_CLOSED = "the connection was closed"
_UNANSWERED = "it did not answer"


class LineLostError(BenchError):
    """The other side has closed the connection, or cannot be reached."""


class Connection:
    """A connection to the other side. One thread reads, and any thread sends.

    Args:
        connected: The socket. The connection closes it.
        longest_line_bytes: A longer line ends the connection.

    Attributes:
        longest_line_bytes: As above.
        peer_address: The address of the other side.
        problem: Why the connection was lost; empty while it is not.
    """

    def __init__(self, connected: socket.socket, longest_line_bytes: int) -> None:
        self.longest_line_bytes = longest_line_bytes
        self.peer_address = str(connected.getpeername()[0])
        self.problem = ""
        self._socket = connected
        self._buffer = bytearray()
        self._lines: deque[bytes] = deque()
        self._lock = threading.Lock()
        connected.settimeout(_SEND_LIMIT_S)
        for level, name, value in (
            (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
            (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
            (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _IDLE_S),
            (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _ASK_AGAIN_S),
            (socket.IPPROTO_TCP, "TCP_KEEPCNT", _ASK_TIMES),
            (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", _UNANSWERED_S * 1000),
        ):
            connected.setsockopt(level, getattr(socket, name), value)

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be sent or received any more."""
        return bool(self.problem)

    def fileno(self) -> int:
        """Return the descriptor that can be read when messages have arrived, for select(2)."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message.

        Raises:
            LineLostError: It cannot be sent.
        """
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._lock:
                self._socket.sendall(line)
        except OSError as error:
            raise self._lost(error) from error

    def receive(self, limit_s: float) -> dict[str, Any]:
        """Wait for one message, and return it.

        Args:
            limit_s: How long to wait until all of it is here, in seconds.

        Raises:
            LineLostError: The connection was closed, nothing arrived in time, or it is not a message.
        """
        give_up_at = time.monotonic() + limit_s
        try:
            while not self._lines:
                remaining_s = give_up_at - time.monotonic()
                if remaining_s <= 0:
                    raise TimeoutError
                self._socket.settimeout(remaining_s)
                self._read()
        except OSError as error:
            raise self._lost(error) from error
        finally:
            self._socket.settimeout(_SEND_LIMIT_S)
        return self._message(self._lines.popleft())

    def arrived(self) -> Iterator[dict[str, Any]]:
        """Yield the messages that have arrived, without waiting. Each is yielded by one call only.

        Raises:
            LineLostError: The connection was closed, or something that arrived is not a message.
        """
        try:
            while readable([self._socket], 0):
                self._read()
        except OSError as error:
            lost = self._lost(error)
            yield from self._complete()
            raise lost from error
        yield from self._complete()

    def close(self) -> None:
        """Close the connection."""
        self.problem = self.problem or _CLOSED
        self._socket.close()

    def _read(self) -> None:
        chunk = self._socket.recv(_CHUNK_BYTES)
        if not chunk:
            raise ConnectionResetError(_CLOSED)
        *lines, rest = chunk.split(b"\n")
        if lines:
            self._lines.append(bytes(self._buffer) + lines[0])
            self._lines += lines[1:]
            self._buffer.clear()
        self._buffer += rest
        if max([len(self._buffer), *map(len, self._lines)]) > self.longest_line_bytes:
            raise ConnectionAbortedError("it sent a message that is too long")

    def _complete(self) -> Iterator[dict[str, Any]]:
        while self._lines:  # whoever handles a message may read the next one
            yield self._message(self._lines.popleft())

    def _message(self, line: bytes) -> dict[str, Any]:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._lost(ConnectionAbortedError("it sent what is not a message")) from error
        if not isinstance(message, dict):
            raise self._lost(ConnectionAbortedError("it sent what is not a message"))
        return message

    def _lost(self, error: OSError) -> LineLostError:
        reason = _UNANSWERED if isinstance(error, TimeoutError) else error.strerror or str(error)
        self.problem = self.problem or reason
        return LineLostError(self.problem)
