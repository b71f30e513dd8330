"""A point's log: everything its process printed, without credentials."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from l2sweep.credentials import scrub


class PointLog:
    """Takes lines, and keeps them in memory until it is clear that the point was run at all.

    Args:
        path: The file that :meth:`open` makes.
        secrets: Texts that must not get into it.
    """

    def __init__(self, path: Path, secrets: Collection[str]) -> None:
        self.path = path
        self._secrets = secrets
        self._lock = threading.Lock()
        self._waiting: list[bytes] = []
        self._file: BinaryIO | None = None
        self._last = ""

    def open(self) -> None:
        """Make the file and its folder, and write what came until now."""
        with self._lock:
            if self._file is not None:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
            self._file.write(b"".join(self._waiting))
            self._waiting.clear()

    def write(self, line: bytes) -> None:
        """Add a line, scrubbed."""
        text = scrub(line.decode(errors="replace"), self._secrets)
        with self._lock:
            self._last = text.strip() or self._last
            if self._file is None:
                self._waiting.append(text.encode())
            else:
                # A full disk must not end the process that prints; its rows will tell of the disk.
                with contextlib.suppress(OSError):
                    self._file.write(text.encode())

    @property
    def last_line(self) -> str:
        """The last line that is not empty: what a process that died said last."""
        return self._last

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
