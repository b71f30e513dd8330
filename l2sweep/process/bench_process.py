"""The launcher's handle on a benchmark process: read its messages, enforce its limits, end it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from l2sweep.bench.job import Job
from l2sweep.bench.messages import CleaningUp, Message, RoundMeasured, decode
from l2sweep.interrupts import hurried, interruptible
from l2sweep.process.pipes import Pipes

OnOutput = Callable[[bytes], None]

# A store that does not answer for this long while keys are deleted is left to the next run. A choice: with
# the time for late submits (bench/clock.py) it is within the 15 s that docs/truth.md promises.
REMOVAL_SILENCE_S = 5.0
SILENCE = "silence"

# A process exits 20 to 50 ms after its last message (measured with fs, forked and spawn). An adapter that
# still closes files or connections gets more.
_EXIT_GRACE_S = 10.0
_TERMINATE_GRACE_S = 3.0  # from SIGTERM to SIGKILL, and for the last output lines
# The kernel may deliver a signal to another thread, and then select(2) of the main thread goes on: seen when
# a stopped launcher continued. Python runs the handler in the main thread, so its waits are short.
_SIGNAL_CHECK_S = 1.0
_MEMORY_CHECK_S = 0.1  # reading /proc/<pid>/statm takes 65 us (measured): under 0.1% of one core


@dataclass(frozen=True)
class ProcessLimits:
    """The limits and the environment of a benchmark process.

    Attributes:
        deadline_s: Seconds from the start after which the process is ended.
        memory_limit_bytes: Resident memory above which the process is ended; None: no limit.
        lmcache_log_level: Name of the lowest level that LMCache logs.
        python: Path of the interpreter that runs the process; None: the interpreter of the launcher.
        after_timeout_s: Seconds without a message after a round that timed out, after which the process is
            ended; None: it may wait for late submits until its deadline.
        removal_silence_s: Seconds without a message while keys are deleted, after which a process is ended
            that failed before, or that only deletes keys; None: they may take until the deadline.
    """

    deadline_s: float
    memory_limit_bytes: int | None = None
    lmcache_log_level: str = "WARNING"
    python: str | None = None
    after_timeout_s: float | None = None
    removal_silence_s: float | None = None


@dataclass(frozen=True)
class ProcessEnd:
    """How a benchmark process ended.

    Attributes:
        exit_code: Exit code; None if a signal ended the process.
        signal: Number of the signal that ended the process; None if it exited.
        exceeded_limit: ``timeout``, ``memory_limit`` or ``silence`` (while keys were deleted) if l2sweep
            ended the process for that; else empty.
        exceeded_detail: Which value exceeded which limit; else empty.
        wall_s: Seconds from start to end.
        peak_rss_bytes: Largest resident set size, from getrusage(2).
    """

    exit_code: int | None
    signal: int | None
    exceeded_limit: str
    exceeded_detail: str
    wall_s: float
    peak_rss_bytes: int


class BenchProcess(ABC):
    """A running benchmark process. It leads its own process group.

    The constructor sends the job to the process. Subclasses start the process before they call it.

    Args:
        pid: Process id, which is also the id of the process group.
        job: The job to run.
        limits: The limits to enforce.
        pipes: The pipes to the process. The child ends are already closed in the launcher.
        on_output: Called with each line of standard output and standard error, in another thread.

    Attributes:
        pid: Process id.
        isolation: How the process was started: ``forkserver`` or ``spawn``.
        unread: After :meth:`end`: the messages that :meth:`messages` did not yield.
    """

    isolation: str

    def __init__(self, pid: int, job: Job, limits: ProcessLimits, pipes: Pipes, on_output: OnOutput) -> None:
        self.pid = pid
        self._start = time.monotonic()
        self._limits = limits
        self._only_deletes = job.delete_after and not job.phases
        self._exceeded_limit = self._exceeded_detail = ""
        self._last_deadline = (
            self._start + limits.deadline_s,
            "timeout",
            f"the deadline of {limits.deadline_s:.0f} s passed",
        )
        self._deadline = self._last_deadline
        self._messages = pipes.messages[0]
        self._is_closed = False
        self._buffer = b""
        self.unread: list[Message] = []
        self._reader = threading.Thread(target=_read_lines, args=(pipes.output[0], on_output), daemon=True)
        self._reader.start()
        with contextlib.suppress(BrokenPipeError), os.fdopen(pipes.job[1], "w") as file:
            file.write(job.to_json())

    @abstractmethod
    def _poll(self) -> tuple[int, int] | None:
        """Return the exit code (negative: a signal) and peak memory in bytes, or None while it runs."""

    def fileno(self) -> int:
        """Return the descriptor that can be read when messages have arrived, for select(2)."""
        return self._messages

    @property
    def is_heard(self) -> bool:
        """Whether it may send more messages: its pipe is open, and it exceeded no limit."""
        return not (self._is_closed or self._exceeded_limit)

    def messages(self) -> Iterator[Message]:
        """Yield each message until the process closes its pipe or exceeds a limit.

        Raises:
            KeyboardInterrupt: The user asked to stop while this method waited.
        """
        return (message for _, message in messages_of([self]) if message is not None)

    def check_deadline(self) -> float:
        """Note whether its deadline has passed, and return how long its limits need no check, in seconds."""
        deadline, limit, reason = self._deadline
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            self._exceeded_limit, self._exceeded_detail = limit, reason
            return 0.0
        return min(
            remaining_s, _SIGNAL_CHECK_S if self._limits.memory_limit_bytes is None else _MEMORY_CHECK_S
        )

    def check_memory(self) -> None:
        """Note whether it uses more memory than it may."""
        limit = self._limits.memory_limit_bytes
        if limit is not None and (resident := resident_bytes(self.pid)) > limit:
            self._exceeded_limit = "memory_limit"
            used = f"{resident >> 20} MiB of resident memory"
            self._exceeded_detail = f"{used}, above memory_limit_mib={limit >> 20}"

    def read(self) -> Iterator[Message]:
        """Yield the messages that have arrived, or note that it has closed its pipe."""
        chunk = os.read(self._messages, 1 << 16)
        self._is_closed = not chunk
        for message in self._complete_messages(chunk):
            yield message
            self._deadline = min(self._last_deadline, self._end_after(message) or self._last_deadline)

    def _end_after(self, message: Message) -> tuple[float, str, str] | None:
        """Return when the process is ended, for which limit and why, if no other message follows.

        None: at its deadline.
        """
        silence_s, grace_s = self._limits.removal_silence_s, self._limits.after_timeout_s
        if silence_s is not None and (self._only_deletes or isinstance(message, CleaningUp)):
            reason = f"its store did not answer for {silence_s:.0f} s while keys were deleted"
            return time.monotonic() + silence_s, SILENCE, reason
        if grace_s is None or not isinstance(message, RoundMeasured) or message.status != "timeout":
            return None
        return time.monotonic() + grace_s, "timeout", f"a {message.phase} round did not complete"

    def _remaining_messages(self) -> Iterator[Message]:
        os.set_blocking(self._messages, False)
        with contextlib.suppress(BlockingIOError):  # a child of the process may still hold the write end
            while chunk := os.read(self._messages, 1 << 16):
                yield from self._complete_messages(chunk)

    def _complete_messages(self, chunk: bytes) -> Iterator[Message]:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        yield from map(decode, lines)

    def end(self, at_once: bool = False) -> ProcessEnd:
        """Wait for the process to exit, end its group if it does not, and return how it ended.

        The group gets SIGTERM, then SIGKILL, at once if the user asked to stop twice. Messages that were not
        read before are in ``unread``.

        Args:
            at_once: Send SIGTERM without waiting first.
        """
        status = None if self._exceeded_limit or at_once else self._wait(_EXIT_GRACE_S)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            if status is None:
                self._signal_group(ending)
                status = self._wait(_TERMINATE_GRACE_S, is_killed=ending is signal.SIGKILL)
        self._signal_group(signal.SIGKILL)  # processes that it started and left running
        self._reader.join(_TERMINATE_GRACE_S)
        self.unread = list(self._remaining_messages())
        os.close(self._messages)
        code, peak_rss_bytes = status if status is not None else (-int(signal.SIGKILL), 0)
        return ProcessEnd(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            exceeded_limit=self._exceeded_limit,
            exceeded_detail=self._exceeded_detail,
            wall_s=time.monotonic() - self._start,
            peak_rss_bytes=peak_rss_bytes,
        )

    def _wait(self, timeout_s: float, *, is_killed: bool = False) -> tuple[int, int] | None:
        give_up = time.monotonic() + timeout_s
        pause_s = 0.0005  # short at first: most processes exit within 50 ms
        while (status := self._poll()) is None and time.monotonic() < give_up:
            if hurried() and not is_killed:
                return None
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.02)
        return status

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class Source(Protocol):
    """Sends messages that do not come from a process."""

    def fileno(self) -> int:
        """Return the descriptor that can be read when messages have arrived, for select(2)."""

    def read(self) -> Iterator[Message | None]:
        """Yield the messages that have arrived, without waiting."""


def messages_of(
    processes: Sequence[BenchProcess], beside: Source | None = None
) -> Iterator[tuple[BenchProcess | None, Message | None]]:
    """Yield each message of several processes, and None for each process once it sends no more.

    A process sends no more when it has closed its pipe or exceeded a limit.

    Args:
        processes: The processes. Those that are added while messages are read are read as well.
        beside: Also sends messages, which are yielded with no process. Before the first process starts, it is
            waited for.

    Raises:
        KeyboardInterrupt: The user asked to stop while this function waited.
    """
    others = [] if beside is None else [beside]
    while (heard := [process for process in processes if process.is_heard]) or (others and not processes):
        if told := [message for source in others for message in source.read()]:
            yield from ((None, message) for message in told)
            continue
        wait_s = min([process.check_deadline() for process in heard], default=_SIGNAL_CHECK_S)
        readable: Sequence[object] = ()
        if wait_s > 0:
            with interruptible():
                readable = select.select([*heard, *others], [], [], wait_s)[0]
        for process in heard if wait_s > 0 else ():
            process.check_memory()
            if process in readable:
                for message in process.read():
                    yield process, message
        for process in heard:
            if not process.is_heard:
                yield process, None


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process; 0 if it does not exist. Source: proc_pid_statm(5)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _read_lines(descriptor: int, on_output: OnOutput) -> None:
    with contextlib.suppress(ValueError, OSError), os.fdopen(descriptor, "rb") as output:
        for line in output:
            on_output(line)
