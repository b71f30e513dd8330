"""A thread that does the work of requests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Worker:
    """Do work in the order in which it was put.

    The thread looks for work at intervals. To wake it up would take the caller 30 to 50 microseconds on a
    virtual machine, which would be part of its submit.

    Args:
        interval_s: Seconds between two looks.
        rest: Called when there is no work.
    """

    def __init__(self, interval_s: float, rest: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._rest = rest
        self._work: deque[Callable[[], None]] = deque()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)
        self._thread.start()

    def put(self, work: Callable[[], None]) -> None:
        """Let the thread do some work, which must not raise."""
        self._work.append(work)

    def close(self) -> None:
        """Do the work that was put, and end the thread."""
        self._is_closed.set()
        self._thread.join()

    def _run(self) -> None:
        is_closed = False
        while not is_closed:
            is_closed = self._is_closed.wait(self._interval_s)
            while self._work:
                self._work.popleft()()
            self._rest()
