"""Two ends of a TCP connection in this process, for tests of what hosts tell each other."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from l2sweep.cluster.line.connection import Connection

MOST_BYTES = 1 << 20


def connected_sockets() -> tuple[socket.socket, socket.socket]:
    """Return the sockets of both ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname())
        second, _ = listener.accept()
    return first, second


@contextlib.contextmanager
def connected(longest_line_bytes: int = MOST_BYTES) -> Iterator[tuple[Connection, Connection]]:
    """Return both ends as connections, and close them at the end."""
    ends = tuple(Connection(end, longest_line_bytes) for end in connected_sockets())
    with contextlib.ExitStack() as held:
        for end in ends:
            held.callback(end.close)
        yield ends[0], ends[1]
