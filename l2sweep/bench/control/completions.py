"""The completed requests of the control, each from its planned moment on."""

from __future__ import annotations

import select
import threading
import time
from typing import Any

from l2sweep.bench.control.timer import Timer

# A sleep ends late by the timer slack (50 microseconds, prctl(2)) and by the time to schedule the thread: 60
# to 110 microseconds were measured. So the last millisecond of a blocking submit is not slept.
_WAKE_EARLY_S = 0.001
# The timer and these times are rounded differently, to nanoseconds.
_SAME_MOMENT_S = 1e-6
_NOT_READY = object()
_UNKNOWN = (float("inf"), _NOT_READY)


class Completions:
    """The results of one operation (store, lookup or load), and the descriptor that announces them.

    The descriptor is a timer of the kernel, so no thread has to wake up to announce a result. It is set by
    the thread that submits, which is usually the one that waits: a timer that another processor set wakes up
    both processors, and is noticed 70 microseconds later. To set it takes 40 microseconds after a pause. It
    therefore repeats with the service time, after which the next requests of a queue are due, and is seldom
    set again.

    Args:
        every_s: Seconds after which the next request of a queue is due; 0 if there is no queue, because
            submits block.
    """

    def __init__(self, every_s: float) -> None:
        self._timer = Timer()
        self._every_s = every_s
        self._next_s = 0.0  # when the timer expires next; 0 if it does not
        self._asked_s = 0.0  # when a request was last asked for that had not completed
        self._lock = threading.Lock()
        self._requests: dict[int, tuple[float, Any]] = {}  # when it is due, and its result

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._timer.fileno()

    def expect(self, task_id: int, due_s: float) -> None:
        """Announce a request when it is due.

        Args:
            task_id: Its id.
            due_s: When it completes, by ``time.perf_counter()``, not before those that were expected earlier.
        """
        with self._lock:
            is_first = not self._requests
            self._requests[task_id] = (due_s, _NOT_READY)
            if is_first or not self._every_s:
                self._announce(due_s)

    def put(self, task_id: int, result: Any) -> None:
        """Set the result of an expected request. If it is due already, it is announced now."""
        with self._lock:
            due_s, _ = self._requests[task_id]
            self._requests[task_id] = (due_s, result)
            if due_s <= time.perf_counter():
                self._announce(due_s)

    # Between a completion and the moment at which it is noticed, each line costs a microsecond: the caches of
    # the processor are cold.

    def take(self, task_id: int) -> Any:
        """Return the result of a request that has completed, once; otherwise None."""
        with self._lock:
            now_s = time.perf_counter()
            due_s, result = self._requests.get(task_id, _UNKNOWN)
            if due_s > now_s or result is _NOT_READY:
                self._asked_s = now_s
                return None
            del self._requests[task_id]
            if self._requests and self._every_s:
                self._announce_next(now_s)
            return result

    def take_all(self) -> dict[int, Any]:
        """Return the results of all requests that have completed, by their ids, once."""
        taken = {}
        with self._lock:
            now_s = time.perf_counter()
            for task_id, (due_s, result) in self._requests.items():
                if due_s <= now_s and result is not _NOT_READY:
                    taken[task_id] = result
            for task_id in taken:
                del self._requests[task_id]
            if self._requests and self._every_s:
                self._announce_next(now_s)
        return taken

    def wait_until(self, due_s: float) -> None:
        """Wait until a request is announced.

        Args:
            due_s: When it is due.
        """
        remaining_s = due_s - time.perf_counter()
        if remaining_s > _WAKE_EARLY_S:
            time.sleep(remaining_s - _WAKE_EARLY_S)
        poller = select.poll()
        poller.register(self.fileno(), select.POLLIN)
        while not poller.poll(0):  # releases the interpreter lock, and returns at once
            pass

    def rest(self) -> None:
        """Stop the timer if no request is expected: it would announce nothing."""
        with self._lock:
            if not self._requests and self._next_s:
                self._next_s = 0.0
                self._timer.set(None)

    def close(self) -> None:
        """Close the descriptor."""
        self._timer.close()

    def _announce_next(self, now_s: float) -> None:
        """Announce the next request, if the timer does not do that anyway."""
        due_s, _ = next(iter(self._requests.values()))  # they complete in the order of their arrival
        while self._next_s <= now_s:
            self._next_s += self._every_s
        is_announced = abs(due_s - self._next_s) < _SAME_MOMENT_S
        if due_s <= now_s:  # it will be asked for now, unless that was before it was due
            is_announced = self._asked_s < self._next_s - self._every_s
        if not is_announced:
            self._announce(due_s)

    def _announce(self, at_s: float) -> None:
        self._next_s = at_s
        self._timer.set(at_s, self._every_s)
