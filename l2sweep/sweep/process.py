"""Starting a benchmark process, hearing what it reports, and ending it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import l2sweep
from l2sweep.bench.lmcache_log import quiet_environment
from l2sweep.bench.messages import MESSAGE_FD_VARIABLE, Message, decode
from l2sweep.bench.request import PointRequest

_TERMINATE_GRACE_S = 3.0
_END_GRACE_S = 10.0


@dataclass(frozen=True)
class ProcessEnd:
    """How a benchmark process ended.

    Attributes:
        exit_code: What it ended with; None where a signal ended it.
        signal: The signal that ended it; None where none did.
        out_of_time: It was ended by us, at its deadline.
        wall_s: From its start to its end.
        peak_rss_bytes: Its largest resident set, as the kernel accounts it (getrusage(2)).
    """

    exit_code: int | None
    signal: int | None
    out_of_time: bool
    wall_s: float
    peak_rss_bytes: int


class BenchProcess(Protocol):
    """A benchmark process, whichever way it was started."""

    def messages(self) -> Iterator[Message]:
        """Yield what the process reports, until it ends or its deadline has come."""

    def end(self, at_once: bool = False) -> ProcessEnd:
        """Wait a moment for it to be gone, end it if it is not, and say how it ended.

        Args:
            at_once: Do not wait before ending it.
        """


StartProcess = Callable[[PointRequest, float, str, Callable[[bytes], None]], BenchProcess]
"""Start a process: the point, its deadline in seconds, LMCache's log level, where its output goes."""


class FreshInterpreter:
    """A benchmark process in a new Python interpreter.

    It has a process group of its own, so that all it started can be ended with it, and the kernel kills
    it when this process dies. The request, which may hold credentials, goes through a pipe: a command
    line can be read by every user of the machine.

    Args:
        request: The point.
        deadline_s: Seconds from now after which it is ended.
        lmcache_log_level: What LMCache logs in it.
        on_output: Takes each line of its standard output and error, from another thread.
    """

    def __init__(
        self,
        request: PointRequest,
        deadline_s: float,
        lmcache_log_level: str,
        on_output: Callable[[bytes], None],
    ) -> None:
        self._start = time.monotonic()
        self._deadline = self._start + deadline_s
        self._out_of_time = False
        self._messages, message_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "l2sweep.bench"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[message_end],
            start_new_session=True,
            env=_environment(message_end, lmcache_log_level),
        )
        os.close(message_end)
        self._reader = threading.Thread(target=self._read_output, args=(on_output,), daemon=True)
        self._reader.start()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request.to_json().encode())
            self._process.stdin.close()

    def messages(self) -> Iterator[Message]:
        """Yield what the process reports, until it ends or its deadline has come."""
        buffer = b""
        while True:
            remaining_s = self._deadline - time.monotonic()
            if remaining_s <= 0 or not select.select([self._messages], [], [], remaining_s)[0]:
                self._out_of_time = True
                return
            chunk = os.read(self._messages, 1 << 16)
            if not chunk:
                return
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                yield decode(line)

    def end(self, at_once: bool = False) -> ProcessEnd:
        """Wait a moment for it to be gone, end it if it is not, and say how it ended."""
        status = None if self._out_of_time or at_once else self._wait(_END_GRACE_S)
        for ending in (signal.SIGTERM, signal.SIGKILL):
            if status is None:
                self._signal_group(ending)
                status = self._wait(_TERMINATE_GRACE_S)
        self._signal_group(signal.SIGKILL)  # what it started and left behind
        self._reader.join(_TERMINATE_GRACE_S)
        assert self._process.stdout is not None
        if not self._reader.is_alive():
            self._process.stdout.close()
        os.close(self._messages)
        code, peak_rss_bytes = status if status is not None else (-int(signal.SIGKILL), 0)
        self._process.returncode = code  # reaped here, for its resource usage: Popen need not look for it
        return ProcessEnd(
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            out_of_time=self._out_of_time,
            wall_s=time.monotonic() - self._start,
            peak_rss_bytes=peak_rss_bytes,
        )

    def _wait(self, timeout_s: float) -> tuple[int, int] | None:
        give_up = time.monotonic() + timeout_s
        while True:
            pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
            if time.monotonic() >= give_up:
                return None
            time.sleep(0.005)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read_output(self, on_output: Callable[[bytes], None]) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError, OSError):
            for line in self._process.stdout:
                on_output(line)


def _environment(message_fd: int, lmcache_log_level: str) -> Mapping[str, str]:
    package_root = str(Path(l2sweep.__file__).resolve().parent.parent)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("L2_ADAPTER_JSON", "HYDRA_FULL_ERROR")
    }
    python_path = os.pathsep.join(filter(None, [package_root, inherited.get("PYTHONPATH", "")]))
    return {
        **inherited,
        **quiet_environment(lmcache_log_level),
        MESSAGE_FD_VARIABLE: str(message_fd),
        "PYTHONPATH": python_path,
        "PYTHONUNBUFFERED": "1",
    }
