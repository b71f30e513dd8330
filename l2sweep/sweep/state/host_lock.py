"""A lock for the whole host: two sweeps at the same time would disturb each other's measurements."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from l2sweep.errors import L2SweepError

_POLL_S = 0.5  # a sweep takes seconds at least, so this adds little to the wait


class HostBusyError(L2SweepError):
    """Another sweep holds the lock."""


def lock_file() -> Path:
    """Return the path of the lock file, which the sweeps of all users of this host share."""
    return Path(tempfile.gettempdir()) / "l2sweep.lock"


@contextlib.contextmanager
def host_lock(mode: str, sweep_id: str) -> Iterator[None]:
    """Hold the lock of this host during the block.

    The kernel releases the lock when the process ends for any reason: flock(2).

    Args:
        mode: What to do if another sweep holds the lock. ``fail``: raise an error; ``wait``: wait until it is
            released; ``off``: run without a lock.
        sweep_id: Id of this sweep. It is written to the file, so that :func:`holder` can report it.

    Raises:
        HostBusyError: Another sweep holds the lock, and the mode is ``fail``.
    """
    if mode == "off":
        yield
        return
    file = _acquire(mode)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    file.truncate(0)
    json.dump({"sweep_id": sweep_id, "pid": os.getpid(), "since": started}, file)
    file.flush()
    try:
        yield
    finally:
        file.truncate(0)
        with contextlib.suppress(OSError):  # in a folder with the sticky bit, only the owner may remove it
            lock_file().unlink()
        file.close()


def _acquire(mode: str) -> TextIO:
    path = lock_file()
    while True:
        with contextlib.suppress(PermissionError):  # another user owns the file; it can be locked anyway
            path.touch(mode=0o666)
            path.chmod(0o666)
        file = path.open("r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file
            file.close()  # its holder removed the file after it was opened here
        except BlockingIOError:
            file.close()
            if mode == "fail":
                raise HostBusyError(
                    f"another sweep runs on this host: {holder()}; lock=wait waits for it, "
                    "lock=off runs at the same time"
                ) from None
            time.sleep(_POLL_S)


def _is_at(path: Path, file: TextIO) -> bool:
    """Whether an open file still has this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def holder() -> str:
    """Return which sweep and process hold the lock, and since when; empty if nobody holds it."""
    try:
        with lock_file().open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return ""
            except BlockingIOError:
                held = json.loads(file.read() or "{}")
    except (OSError, ValueError):
        return ""
    return f"sweep {held.get('sweep_id')}, process {held.get('pid')}, since {held.get('since')}"
