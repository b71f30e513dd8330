"""The clock: time one round of submits, from the first submit to the last completion."""

from __future__ import annotations

import gc
import resource
import select
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcache.v1.platform import consume_fd

from l2sweep.bench.adapter.verbs import Completion, Submit, Verb

# A submit that has not completed this long after its round timed out counts as lost. Not measured: a choice
# between waiting for a slow device and holding up an unattended sweep.
_LATE_GRACE_S = 30.0
_PROCESS_IO = Path("/proc/self/io")


@dataclass(frozen=True)
class ResourceUsage:
    """Resources that this process used, since its start or between two moments.

    Attributes:
        cpu_user_s: User time of all threads.
        cpu_sys_s: System time of all threads.
        device_read_bytes: ``read_bytes`` of ``/proc/self/io``, proc_pid_io(5): bytes that the kernel read
            from storage for the process; None if the kernel does not report them.
        device_write_bytes: ``write_bytes`` of the same file: bytes that the process caused to be written to
            storage, counted when a page becomes dirty; None if the kernel does not report them.
    """

    cpu_user_s: float
    cpu_sys_s: float
    device_read_bytes: int | None
    device_write_bytes: int | None

    @classmethod
    def now(cls) -> ResourceUsage:
        """Return the resources that this process has used since its start."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        try:
            lines = _PROCESS_IO.read_text().splitlines()
        except OSError:
            return cls(usage.ru_utime, usage.ru_stime, None, None)
        counters = {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}
        return cls(usage.ru_utime, usage.ru_stime, counters["read_bytes"], counters["write_bytes"])

    def since(self, earlier: ResourceUsage) -> ResourceUsage:
        """Return the resources that were used between ``earlier`` and this moment."""
        return ResourceUsage(
            self.cpu_user_s - earlier.cpu_user_s,
            self.cpu_sys_s - earlier.cpu_sys_s,
            _difference(self.device_read_bytes, earlier.device_read_bytes),
            _difference(self.device_write_bytes, earlier.device_write_bytes),
        )


@dataclass(frozen=True)
class RoundTiming:
    """The timing of one round.

    Attributes:
        started_at_s: Seconds since the epoch, just before the first submit; None if the round was not run.
        duration_s: Time from the first submit to the last completion; None if a submit did not complete.
        completions: The submits that completed in time, by their position in the round.
        submit_latency_s: Time from each of these submits to its completion, by the same position.
        outstanding: The submits that did not complete, by their task id.
        error: The exception that the adapter raised in a submit; empty if it raised none.
        usage: Resources that the process used during the round.
    """

    started_at_s: float | None
    duration_s: float | None
    completions: dict[int, Completion]
    submit_latency_s: dict[int, float]
    outstanding: dict[int, Submit]
    error: str
    usage: ResourceUsage


@dataclass
class RoundClock:
    """Time the rounds of one verb.

    Attributes:
        verb: The verb to time.
        timeout_s: Seconds that a round may take, from its first submit.
    """

    verb: Verb
    timeout_s: float
    _poller: select.poll = field(default_factory=select.poll, init=False)
    _event_fd: int = field(init=False)

    def __post_init__(self) -> None:
        """Register the event descriptor of the verb once for all rounds."""
        self._event_fd = self.verb.event_fd
        self._poller.register(self._event_fd, select.POLLIN)

    def time(self, submits: list[Submit]) -> RoundTiming:
        """Submit one after another from this thread, then wait until every submit completes.

        Args:
            submits: The submits of the round. They are made before the clock starts.
        """
        # Looked up before the clock starts: an adapter's thread may wait for the interpreter lock meanwhile.
        clock = time.perf_counter
        submit_one = self.verb.submit
        pending: dict[int, int] = {}
        submitted: list[float] = []
        raw: dict[int, Any] = {}
        finished: dict[int, float] = {}
        error = ""
        gc.disable()
        before = ResourceUsage.now()
        started_at_s = time.time()
        start = clock()
        try:
            for position, submit in enumerate(submits):
                submitted.append(clock())
                pending[submit_one(submit)] = position
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        self._collect(pending, start + self.timeout_s, raw, finished)
        after = ResourceUsage.now()
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
            usage=after.since(before),
        )

    def wait_for_late(self, outstanding: dict[int, Submit]) -> bool:
        """Wait for the submits of a round that timed out, and discard their results.

        The adapter may use their memory until they complete, so no later round may start earlier.

        Args:
            outstanding: The submits, by their task id.

        Returns:
            Whether all of them completed.
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
        event_fd, drain = self._event_fd, self.verb.drain
        while pending:
            remaining_s = deadline - clock()
            if remaining_s <= 0 or not poll(remaining_s * 1000):
                return
            # The signal is consumed before the results are read: a completion in between signals again.
            consume_fd(event_fd)
            results = drain(pending)
            now = clock()
            for task_id, result in results.items():
                position = pending.pop(task_id)
                raw[position] = result
                finished[position] = now

    def _complete(self, submit: Submit, raw: Any) -> Completion:
        completion = self.verb.completion(submit, raw)
        self.verb.release(submit, completion)
        return completion


def _difference(later: int | None, earlier: int | None) -> int | None:
    return None if later is None or earlier is None else later - earlier
