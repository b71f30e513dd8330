"""The processes of a running sweep, and the output of its launcher."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from pathlib import Path

from conftest import children, command_line

_POLL_MS = 20


class Output:
    """Read the output of a process in a thread until it ends or is closed.

    Args:
        process: The process. Its standard output is a pipe, or goes elsewhere: then there is nothing to read.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._pipe = process.stdout
        self._read: list[bytes] = []
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=self._drain)
        self._thread.start()

    @property
    def text(self) -> str:
        """What was read so far."""
        return b"".join(self._read).decode(errors="replace")

    def add(self, text: bytes) -> None:
        """Add the output of another process."""
        self._read.append(text)

    def close(self) -> None:
        """Read what is there, and close the pipe. Nothing is read at the second call."""
        self._is_closing.set()
        self._thread.join()
        if self._pipe is not None:
            self._pipe.close()

    def _drain(self) -> None:
        if self._pipe is None:
            return
        descriptor = self._pipe.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while True:
            if poll.poll(_POLL_MS):
                block = os.read(descriptor, 65536)
                if not block:
                    return
                self._read.append(block)
            elif self._is_closing.is_set():
                return


def child_of(parent: int, word: str) -> int | None:
    """Return a child whose command line contains a word, or None."""
    return next((child for child in children(parent) if word in command_line(child)), None)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of the processes of l2sweep whose current folder is a folder."""
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if cwd.resolve() == folder and "l2sweep" in command_line(int(cwd.parent.name)):
                found.append(command_line(int(cwd.parent.name)))
        except OSError:
            continue
    return found


def has_signal(pid: int, mask: str, number: signal.Signals) -> bool:
    """Return whether a mask of a process (SigIgn or SigCgt) has a signal: proc_pid_status(5)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    bits = next(int(line.split()[1], 16) for line in lines if line.startswith(mask))
    return bool(bits >> (number - 1) & 1)
