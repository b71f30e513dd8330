"""A benchmark process as the launcher sees it: what it reports, and how it is ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from l2sweep.bench.messages import Message, decode
from l2sweep.bench.request import PointRequest
from l2sweep.interrupts import interruptible

OnOutput = Callable[[bytes], None]

_TERMINATE_GRACE_S = 3.0
_END_GRACE_S = 10.0
_MEMORY_CHECK_S = 0.1


@dataclass(frozen=True)
class ProcessLimits:
    """What a benchmark process is given.

    Attributes:
        deadline_s: Seconds after which it is ended.
        memory_limit_bytes: Resident memory above which it is ended; None: no limit.
        lmcache_log_level: What LMCache logs in it.
        python: Another interpreter to run it with; None: this one.
    """

    deadline_s: float
    memory_limit_bytes: int | None = None
    lmcache_log_level: str = "WARNING"
    python: str | None = None


@dataclass(frozen=True)
class ProcessEnd:
    """How a benchmark process ended.

    Attributes:
        exit_code: What it ended with; None where a signal ended it.
        signal: The signal that ended it; None where none did.
        ended_as: ``timeout`` or ``memory_limit`` where it was ended by us for that; else empty.
        ended_because: The same in words.
        wall_s: From its start to its end.
        peak_rss_bytes: Its largest resident set, as the kernel accounts it (getrusage(2)).
    """

    exit_code: int | None
    signal: int | None
    ended_as: str
    ended_because: str
    wall_s: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class Pipes:
    """Both ends of what connects a benchmark process with the launcher.

    The request, which may hold credentials, goes through a pipe as well: a command line can be read by
    every user of the machine.
    """

    request: tuple[int, int]
    messages: tuple[int, int]
    output: tuple[int, int]

    @classmethod
    def make(cls) -> Pipes:
        """Make them; no other process inherits them."""
        return cls(os.pipe(), os.pipe(), os.pipe())

    @property
    def of_the_process(self) -> tuple[int, int, int]:
        """The ends that the process gets: request, messages, output."""
        return self.request[0], self.messages[1], self.output[1]

    def close_ours(self) -> None:
        """Close our own ends: a process that still waits for its request finds none, and ends."""
        for descriptor in (self.request[1], self.messages[0], self.output[0]):
            os.close(descriptor)

    def close_those_of_the_process(self) -> None:
        """Close them here, so that their other ends tell when the process is gone."""
        for descriptor in self.of_the_process:
            os.close(descriptor)


class BenchProcess(ABC):
    """A benchmark process, whichever way it was started: a process group of its own.

    Args:
        request: What it is to do.
        limits: What it is given.
        pipes: Its own ends of them are closed here already.
        on_output: Takes each line of its standard output and error, from another thread.
    """

    isolation: str

    def __init__(
        self, request: PointRequest, limits: ProcessLimits, pipes: Pipes, on_output: OnOutput
    ) -> None:
        self._start = time.monotonic()
        self._limits = limits
        self._ended_as = self._ended_because = ""
        self._messages = pipes.messages[0]
        self._buffer = b""
        self.unread: list[Message] = []
        self._reader = threading.Thread(target=_read_lines, args=(pipes.output[0], on_output), daemon=True)
        self._reader.start()
        with contextlib.suppress(BrokenPipeError), os.fdopen(pipes.request[1], "w") as file:
            file.write(request.to_json())

    @property
    @abstractmethod
    def pid(self) -> int:
        """Its process id, which is its group's as well."""

    @abstractmethod
    def _poll(self) -> tuple[int, int] | None:
        """Return its exit code (negative: a signal) and peak memory in bytes, or None while it lives."""

    def messages(self) -> Iterator[Message]:
        """Yield what the process reports, until it ends or has to be ended.

        Raises:
            KeyboardInterrupt: The user asked to stop while it was waited for.
        """
        deadline = self._start + self._limits.deadline_s
        while not self._ended_because:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                self._ended_as = "timeout"
                self._ended_because = f"its deadline of {self._limits.deadline_s:.0f} s"
                return
            limit = self._limits.memory_limit_bytes
            wait_s = remaining_s if limit is None else min(remaining_s, _MEMORY_CHECK_S)
            with interruptible():
                readable = select.select([self._messages], [], [], wait_s)[0]
            if limit is not None and (resident := resident_bytes(self.pid)) > limit:
                self._ended_as = "memory_limit"
                self._ended_because = f"{resident >> 20} MiB of memory, above memory_limit_mb={limit >> 20}"
            if not readable:
                continue
            chunk = os.read(self._messages, 1 << 16)
            if not chunk:
                return
            yield from self._decoded(chunk)

    def _rest(self) -> Iterator[Message]:
        os.set_blocking(self._messages, False)
        with contextlib.suppress(BlockingIOError):  # what it started may live on and hold the other end
            while chunk := os.read(self._messages, 1 << 16):
                yield from self._decoded(chunk)

    def _decoded(self, chunk: bytes) -> Iterator[Message]:
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        yield from map(decode, lines)

    def end(self, at_once: bool = False) -> ProcessEnd:
        """Wait a moment for it to be gone, end it if it is not, and say how it ended.

        What it reported before and nobody has heard is in ``unread`` then.

        Args:
            at_once: Do not wait before ending it.
        """
        status = None if self._ended_because or at_once else self._wait(_END_GRACE_S)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            if status is None:
                self._signal_group(ending)
                status = self._wait(_TERMINATE_GRACE_S)
        self._signal_group(signal.SIGKILL)  # what it started and left behind
        self._reader.join(_TERMINATE_GRACE_S)
        self.unread = list(self._rest())
        os.close(self._messages)
        code, peak_rss_bytes = status if status is not None else (-int(signal.SIGKILL), 0)
        return ProcessEnd(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            ended_as=self._ended_as,
            ended_because=self._ended_because,
            wall_s=time.monotonic() - self._start,
            peak_rss_bytes=peak_rss_bytes,
        )

    def _wait(self, timeout_s: float) -> tuple[int, int] | None:
        give_up = time.monotonic() + timeout_s
        pause_s = 0.0005
        while (status := self._poll()) is None and time.monotonic() < give_up:
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.02)
        return status

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 when it is gone: proc_pid_statm(5)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _read_lines(descriptor: int, on_output: OnOutput) -> None:
    with contextlib.suppress(ValueError, OSError), os.fdopen(descriptor, "rb") as output:
        for line in output:
            on_output(line)
