"""A server in a thread of the test that gives prepared answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Answer = Callable[[bytes], bytes]


@contextlib.contextmanager
def line_server(answer: Answer) -> Iterator[int]:
    """Answer what each connection sends, and return the port.

    Args:
        answer: From what was received to the answer; an empty one is not sent.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_accept, args=(listening, answer), daemon=True)
        thread.start()
        yield listening.getsockname()[1]


def _accept(listening: socket.socket, answer: Answer) -> None:
    while True:
        try:
            connection = listening.accept()[0]
        except OSError:
            return
        threading.Thread(target=_talk, args=(connection, answer), daemon=True).start()


def _talk(connection: socket.socket, answer: Answer) -> None:
    with connection, contextlib.suppress(OSError):
        while received := connection.recv(65536):
            connection.sendall(answer(received))
