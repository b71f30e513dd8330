"""The lock of the host: two sweeps at the same time would disturb each other's measurements.

All users of a host share one file in a folder where everybody may create files, so another user may have put
anything there. The file is opened for reading only, which is enough for flock(2), and without ``O_CREAT``:
with fs.protected_regular that fails in such a folder for the file of another user, also for root. Source:
proc_sys_fs(5). Only the process that creates the file writes to it.

The package filelock is not used: it opens the file for writing, truncates it and sets its mode.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from l2sweep.errors import L2SweepError, RequestError, shown
from l2sweep.records.owner import Owner, is_at, try_lock
from l2sweep.records.trusted_files import UntrustedFileError, create_new, open_regular

FOLDER_VARIABLE = "L2SWEEP_LOCK_DIR"
"""Environment variable with another folder for the lock, for example one that several containers share."""

_NAME = "l2sweep.lock"
# All users may write to /run/lock on Debian, and only root on other systems. XDG_RUNTIME_DIR is not used,
# because it is a folder of one user: a lock in it does not exclude other users. The same may hold for TMPDIR.
_SHARED_FOLDERS = (Path("/run/lock"), Path("/tmp"))
_ALL_MAY_CREATE = stat.S_ISVTX | stat.S_IWOTH | stat.S_IXOTH
_ALL_MAY_READ = 0o644  # whatever the umask is: the others must be able to open the file
_ROOT_UID = 0
_POLL_S = 0.5  # a sweep takes seconds at least, so this adds little to the wait


class HostBusyError(L2SweepError):
    """Another sweep holds the lock."""


def lock_file() -> Path:
    """Return the path of the lock file, which the sweeps of all users of this host share."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder) / _NAME
    return next(filter(_is_shared, _SHARED_FOLDERS), Path(tempfile.gettempdir())) / _NAME


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
        RequestError: The lock file is not a regular file, or cannot be opened or created.
    """
    if mode == "off":
        yield
        return
    path = lock_file()
    try:
        file = _acquire(path, mode, sweep_id)
    except (UntrustedFileError, OSError) as error:
        reason = error.reason if isinstance(error, UntrustedFileError) else error.strerror
        remedy = f"set {FOLDER_VARIABLE} to another folder, or use lock=off"
        if os.path.lexists(path):
            remedy = f"remove it, or {remedy}"
        raise RequestError([f"lock={mode}: {shown(path)} cannot be locked: {reason}: {remedy}"]) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # in a folder with the sticky bit, only the owner may remove it
            if is_at(path, file.fileno()):
                path.unlink()
        file.close()


def holder() -> str:
    """Return which sweep and process hold the lock, and since when; empty if nobody holds it."""
    path = lock_file()
    try:
        descriptor = open_regular(path, os.O_RDONLY)
    except (OSError, UntrustedFileError):
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = Owner.read(descriptor)
    except OSError:  # a file system without locks
        return ""
    else:
        return ""
    finally:
        os.close(descriptor)
    if owner is None or owner.has_ended:  # the file of another user, which this process only locked
        return f"an unknown process, which has locked {shown(path)}"
    return f"sweep {owner.sweep_id}, process {owner.pid}, since {owner.since}"


def _is_shared(folder: Path) -> bool:
    """Whether all users of the host may create files in a folder, and nobody may replace those of others."""
    try:
        status = folder.stat()
    except OSError:
        return False
    may_create = stat.S_ISDIR(status.st_mode) and status.st_mode & _ALL_MAY_CREATE == _ALL_MAY_CREATE
    return (
        may_create and status.st_uid == _ROOT_UID and os.access(folder, os.W_OK)
    )  # not on a read-only file system


def _acquire(path: Path, mode: str, sweep_id: str) -> BinaryIO:
    """Return the lock file, open and locked. It contains the record of this process unless it existed before.

    Raises:
        HostBusyError: Another sweep holds the lock, and the mode is ``fail``.
        UntrustedFileError: The path is not a regular file.
        OSError: The file cannot be opened or created.
    """
    while True:
        file, is_new = _open_or_create(path)
        try:
            is_locked = try_lock(file.fileno())
        except OSError:
            file.close()
            raise
        if is_locked and is_at(path, file.fileno()):
            if is_new:
                with contextlib.suppress(
                    OSError
                ):  # a full disk: the lock is held, but does not name its owner
                    os.write(file.fileno(), Owner.of_this_process(sweep_id).to_json())
                return file
            try:
                path.unlink()  # left by a run that died; a new file can name this process
            except OSError:  # it belongs to another user
                return file
        file.close()
        if not is_locked:
            if mode == "fail":
                raise HostBusyError(
                    f"another sweep runs on this host: {holder()}; lock=wait waits for it, "
                    "lock=off runs at the same time"
                )
            time.sleep(_POLL_S)


def _open_or_create(path: Path) -> tuple[BinaryIO, bool]:
    """Return the open file, and whether it was created."""
    while True:
        try:
            return os.fdopen(open_regular(path, os.O_RDONLY), "rb"), False
        except FileNotFoundError:
            with contextlib.suppress(FileExistsError):  # another process created it just now
                file = create_new(path)
                os.fchmod(file.fileno(), _ALL_MAY_READ)
                return file, True
