"""Run the sweep of a night in a process of its own, so that its end is reported even if it is killed."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import IO

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_sweep(arguments: Sequence[str], output: IO[bytes]) -> int:
    """Run a sweep and return its exit code; that of a sweep that a signal ended is 128 and its number.

    SIGTERM, SIGINT and SIGHUP are forwarded: the sweep then stops and keeps what it has measured.

    Args:
        arguments: Its command line.
        output: File for all that it prints.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "l2sweep", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,  # Ctrl-C in a terminal reaches it once: by the forwarded signal
    )
    with _forwarded_to(process):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _forwarded_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def forward(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)  # does nothing once the process was waited for

    before = {number: signal.getsignal(number) for number in _FORWARDED}
    handled = [number for number, handler in before.items() if handler != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, forward)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])
