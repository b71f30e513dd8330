"""One sweep at a time on a host: two that run together measure each other."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

from l2sweep.errors import L2SweepError

_POLL_S = 0.5


class HostBusyError(L2SweepError):
    """Another sweep holds the lock."""


def lock_file() -> Path:
    """Return the file that every user's sweeps on this host lock."""
    return Path(tempfile.gettempdir()) / "l2sweep.lock"


@contextlib.contextmanager
def host_lock(mode: str, sweep_id: str) -> Iterator[None]:
    """Hold the lock of this host.

    The kernel gives it back when the process ends, however it ends: flock(2).

    Args:
        mode: ``fail``: another holder is an error; ``wait``: for it to be done; ``off``: no lock.
        sweep_id: Written into the file, for others to see who holds it.

    Raises:
        HostBusyError: With the holder, where the mode is ``fail``.
    """
    if mode == "off":
        yield
        return
    file = _acquire(mode)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    file.truncate(0)
    json.dump({"sweep_id": sweep_id, "pid": os.getpid(), "since": started}, file)
    file.flush()
    try:
        yield
    finally:
        file.truncate(0)
        with contextlib.suppress(OSError):  # in a sticky folder only its owner can remove it
            lock_file().unlink()
        file.close()


def _acquire(mode: str) -> TextIO:
    path = lock_file()
    while True:
        with contextlib.suppress(PermissionError):  # it is somebody else's, and can be locked all the same
            path.touch(mode=0o666)
            path.chmod(0o666)
        file = path.open("r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file
            file.close()  # its holder removed it between our opening and our locking it
        except BlockingIOError:
            file.close()
            if mode == "fail":
                raise HostBusyError(
                    f"another sweep runs on this host: {holder()}; lock=wait waits for it, "
                    "lock=off measures beside it"
                ) from None
            time.sleep(_POLL_S)


def _is_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def holder() -> str:
    """Return who holds the lock, in words; an empty text where nobody does."""
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
