"""The clock: one round of submits, from the first submit to the last completion."""

from __future__ import annotations

import gc
import resource
import select
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcache.v1.platform import consume_fd

from l2sweep.bench.adapter.operations import Completion, Operation, Submit

_LATE_GRACE_S = 30.0  # a submit that is this late, on top of its time-out, is taken for lost
_PROCESS_IO = Path("/proc/self/io")


@dataclass(frozen=True)
class Cost:
    """What a process had used up to a moment.

    Attributes:
        cpu_user_s: User time of all its threads.
        cpu_sys_s: System time of all its threads.
        device_read_bytes: ``read_bytes`` of ``/proc/self/io`` (proc_pid_io(5)): bytes that the kernel
            fetched from storage for it; None where it does not tell.
        device_write_bytes: ``write_bytes``, likewise: bytes that it caused to be sent to storage, counted
            when a page becomes dirty.
    """

    cpu_user_s: float
    cpu_sys_s: float
    device_read_bytes: int | None
    device_write_bytes: int | None

    @classmethod
    def now(cls) -> Cost:
        """Return what this process has used until now."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        try:
            lines = _PROCESS_IO.read_text().splitlines()
        except OSError:
            return cls(usage.ru_utime, usage.ru_stime, None, None)
        counters = {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}
        return cls(usage.ru_utime, usage.ru_stime, counters["read_bytes"], counters["write_bytes"])

    def since(self, earlier: Cost) -> Cost:
        """Return what was used between ``earlier`` and this moment."""
        return Cost(
            self.cpu_user_s - earlier.cpu_user_s,
            self.cpu_sys_s - earlier.cpu_sys_s,
            _difference(self.device_read_bytes, earlier.device_read_bytes),
            _difference(self.device_write_bytes, earlier.device_write_bytes),
        )


@dataclass(frozen=True)
class RoundTiming:
    """What the clock saw of one round.

    Attributes:
        started_at_s: Seconds since the epoch, just before the first submit; None where it was not run.
        duration_s: From the first submit to the last completion; None when not all completed.
        completions: By position of the submit, those that completed in time.
        submit_latency_s: By position of the submit, from its submit to its completion.
        outstanding: Task ids of submits that did not complete, with their submits.
        error: What the adapter raised in a submit; else empty.
        cost: What the process used meanwhile.
    """

    started_at_s: float | None
    duration_s: float | None
    completions: dict[int, Completion]
    submit_latency_s: dict[int, float]
    outstanding: dict[int, Submit]
    error: str
    cost: Cost


@dataclass
class RoundClock:
    """Times rounds of one operation over one poll registration.

    Attributes:
        operation: What is timed.
        timeout_s: Seconds that a round may take from its first submit.
    """

    operation: Operation
    timeout_s: float
    _poller: select.poll = field(default_factory=select.poll, init=False)
    _event_fd: int = field(init=False)

    def __post_init__(self) -> None:
        """Register the operation's event descriptor once for all rounds."""
        self._event_fd = self.operation.event_fd
        self._poller.register(self._event_fd, select.POLLIN)

    def time(self, submits: list[Submit]) -> RoundTiming:
        """Submit one after another from this thread, then wait for all of them.

        Args:
            submits: Made before the clock starts.
        """
        # Looked up before the clock starts: an adapter's thread waits for the interpreter's lock meanwhile.
        clock = time.perf_counter
        submit_one = self.operation.submit
        pending: dict[int, int] = {}
        submitted: list[float] = []
        raw: dict[int, Any] = {}
        finished: dict[int, float] = {}
        error = ""
        gc.disable()
        before = Cost.now()
        started_at_s = time.time()
        start = clock()
        try:
            for position, submit in enumerate(submits):
                submitted.append(clock())
                pending[submit_one(submit)] = position
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        self._collect(pending, start + self.timeout_s, raw, finished)
        after = Cost.now()
        gc.enable()

        all_completed = len(raw) == len(submits)
        completions = {position: self._complete(submits[position], raw[position]) for position in raw}
        return RoundTiming(
            started_at_s=started_at_s,
            duration_s=max(finished.values()) - start if all_completed else None,
            completions=completions,
            submit_latency_s={position: finished[position] - submitted[position] for position in raw},
            outstanding={task_id: submits[position] for task_id, position in pending.items()},
            error=error,
            cost=after.since(before),
        )

    def wait_for_late(self, outstanding: dict[int, Submit]) -> bool:
        """Wait, off the clock, for submits of a round that timed out, and forget what they bring.

        Their memory belongs to the adapter until they complete, so no later round may start before.

        Returns:
            Whether all of them have completed.
        """
        pending = {task_id: position for position, task_id in enumerate(outstanding)}
        submits = list(outstanding.values())
        raw: dict[int, Any] = {}
        self._collect(pending, time.perf_counter() + _LATE_GRACE_S, raw, {})
        for position, result in raw.items():
            self._complete(submits[position], result)
        return not pending

    def _collect(
        self, pending: dict[int, int], deadline: float, raw: dict[int, Any], finished: dict[int, float]
    ) -> None:
        clock, poll = time.perf_counter, self._poller.poll
        event_fd, drain = self._event_fd, self.operation.drain
        while pending:
            remaining_s = deadline - clock()
            if remaining_s <= 0 or not poll(remaining_s * 1000):
                return
            # The signal is taken before the results: what completes in between signals anew.
            consume_fd(event_fd)
            results = drain(pending)
            now = clock()
            for task_id, result in results.items():
                position = pending.pop(task_id)
                raw[position] = result
                finished[position] = now

    def _complete(self, submit: Submit, raw: Any) -> Completion:
        completion = self.operation.completion(submit, raw)
        self.operation.release(submit, completion)
        return completion


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None else later - earlier
