"""The log file of a point: the output of its processes, without credentials."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from l2sweep.credentials import scrub


class PointLog:
    """A log that keeps its lines in memory until :meth:`open` creates the file.

    Args:
        path: Path of the file.
        secrets: Texts that are replaced in each line.
    """

    def __init__(self, path: Path, secrets: Collection[str]) -> None:
        self.path = path
        self._secrets = secrets
        self._lock = threading.Lock()
        self._pending: list[bytes] = []
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Create the file and its folder, and write the lines kept so far. Do nothing if it is open."""
        with self._lock:
            if self._file is not None:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
            self._file.write(b"".join(self._pending))
            self._pending.clear()

    def write(self, line: bytes, prefix: str = "") -> str:
        """Add a line, and return it with its credentials replaced.

        Args:
            line: The line.
            prefix: What stands in front of it in the file.
        """
        text = scrub(line.decode(errors="replace"), self._secrets)
        with self._lock:
            if self._file is None:
                self._pending.append(f"{prefix}{text}".encode())
            else:
                # A full disk must not stop the measurement; writing its rows reports the same error.
                with contextlib.suppress(OSError):
                    self._file.write(f"{prefix}{text}".encode())
        return text

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
