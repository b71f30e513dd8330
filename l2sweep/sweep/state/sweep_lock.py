"""The lock of a sweep: one process at a time writes into ``sweeps/ID`` and the records of this sweep.

Each run acquires it, new or resumed, whatever the option ``lock`` says about the lock of the host: two
resumes of one sweep would measure the same points under the same names.

The lock file exists while the sweep runs. It contains a record of its owner, and the owner keeps it locked
with flock(2). A file that is not locked belonged to a process that died. If that process ran on this host,
the file is replaced.

Several hosts may share the folder. What is known of flock(2) there:

- NFS: since Linux 2.6.12 the client sends the lock to the server, as a byte-range lock of the whole file. An
  exclusive lock needs a file that is open for writing. Source: flock(2), "NFS details".
- NFS with ``local_lock=flock``, ``local_lock=all`` or ``nolock``: the lock is valid on this client only.
  Source: nfs(5).
- On the NFS server itself, flock(2) does not see the locks of the clients, because byte-range locks and
  flock(2) do not interact on a local file system. Source: flock(2).
- SMB: since Linux 5.5 as on NFS, before that on this client only. Source: flock(2), "CIFS details".
- Some file systems have no locks, for example Lustre that is mounted without the option ``flock``.

Therefore a lock that is free does not prove that a process on another host has ended. A file that names
another host, or that cannot be locked, is respected until a person deletes it.

Two hosts cannot create the file at the same time, whatever their locks do: it is written under another name,
and link(2) fails if the name of the lock exists. Source: open(2), ``O_EXCL``, which describes this method for
NFS.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from l2sweep.errors import RequestError, shown
from l2sweep.records.files import half_written
from l2sweep.records.owner import Host, Owner, is_at, open_held, try_lock
from l2sweep.records.trusted_files import UntrustedFileError, open_regular

_NAME = "sweep.lock"
# What link(2) reports on a file system without hard links, such as vfat or some FUSE file systems.
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True)
class Runner:
    """Another process that runs a sweep, or may run it.

    Attributes:
        sentence: Names the sweep, the process, and what to do.
        is_certain: Whether it certainly runs the sweep.
        last_seen: What is known otherwise, in a few words; empty if nothing is.
    """

    sentence: str
    is_certain: bool = False
    last_seen: str = ""


@contextlib.contextmanager
def sweep_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a sweep during the block.

    Args:
        folder: Folder of the sweep, which exists. Its name is the id of the sweep.

    Raises:
        RequestError: Another process runs the sweep, or may run it, or the lock cannot be created. Nothing
            was changed.
    """
    path = folder / _NAME
    try:
        file = _acquire(path)
    except UntrustedFileError as error:
        raise RequestError([_refusal(path, error.reason)]) from error
    except OSError as error:
        raise RequestError([_refusal(path, error.strerror or str(error))]) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone
            if is_at(path, file.fileno()):
                path.unlink()
        file.close()


def who_runs(folder: Path) -> Runner | None:
    """Return the process that runs a sweep, or may run it; None if there is none.

    Args:
        folder: Folder of the sweep.
    """
    path = folder / _NAME
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        return None
    except UntrustedFileError as error:
        return Runner(_refusal(path, error.reason))
    except OSError as error:
        return Runner(_refusal(path, error.strerror or str(error)))
    try:
        return _runner(path, descriptor)
    finally:
        os.close(descriptor)


def _acquire(path: Path) -> BinaryIO:
    """Create the lock file with the record of this process, and return it open and locked.

    Raises:
        RequestError: Another process holds the lock, or may hold it.
        UntrustedFileError: The path is not a regular file.
        OSError: The file cannot be opened or created.
    """
    file = None
    while file is None:
        with _held_if_left(path) as is_left:
            file = _create(path, replace=is_left)
    return file


@contextlib.contextmanager
def _held_if_left(path: Path) -> Iterator[bool]:
    """Lock the file of a dead run during the block, so that only one process replaces it.

    Yields:
        Whether there is such a file.

    Raises:
        RequestError: The owner of the file lives, or may live.
    """
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        yield False
        return
    try:
        if (runner := _runner(path, descriptor)) is not None:
            raise RequestError([runner.sentence])
        yield is_at(path, descriptor)  # false: its owner removed it just now, or another process replaced it
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return open_regular(path, os.O_RDWR)  # NFS gives an exclusive lock only for writing
    except (FileNotFoundError, UntrustedFileError):
        raise
    except OSError:
        return open_regular(path, os.O_RDONLY)


def _runner(path: Path, descriptor: int) -> Runner | None:
    """Lock an existing lock file, and return the process that may hold it; None if that process has died."""
    owner = Owner.read(descriptor)
    process = str(owner or "an unknown process")
    try:
        is_free = try_lock(descriptor)
    except OSError:
        return _doubt(path, f"{process}, and its file system has no locks")
    if not is_free:
        sentence = f"sweep {path.parent.name} is being run by {process}: wait until it ends"
        return Runner(sentence, is_certain=True)
    if owner is None:
        return _doubt(path, process)
    if not owner.host.is_here:
        return _doubt(path, f"{process}, which cannot be seen from host {Host.here().name}")
    return None


def _doubt(path: Path, process: str) -> Runner:
    sentence = (
        f"sweep {path.parent.name} may be run by {process}: if that run has ended, delete {shown(path)}"
    )
    return Runner(sentence)


def _refusal(path: Path, reason: str) -> str:
    return f"sweep {path.parent.name} cannot be locked: {shown(path)}: {reason}"


def _create(path: Path, *, replace: bool) -> BinaryIO | None:
    """Create the lock file, complete and locked.

    Args:
        path: Its path.
        replace: Whether to replace the file of a dead run, which this process has locked.

    Returns:
        The open file; None if another process was faster.
    """
    owner = Owner.of_this_process(path.parent.name)
    temporary = half_written(path.parent, _NAME)
    with contextlib.ExitStack() as undo:
        file = undo.enter_context(open_held(temporary))
        undo.callback(temporary.unlink, missing_ok=True)
        owner.write(file)
        try:
            if replace:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)
        except FileExistsError:
            # NFS may report that the link exists because it repeated a request: open(2), O_EXCL
            if os.fstat(file.fileno()).st_nlink == 1:
                return None
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            return _create_in_place(path, owner)
        undo.pop_all()
    temporary.unlink(missing_ok=True)
    return file


def _create_in_place(path: Path, owner: Owner) -> BinaryIO | None:
    """Create the lock file without hard links: another host may see it before its record is written."""
    try:
        file = open_held(path)
    except FileExistsError:
        return None
    try:
        owner.write(file)
    except BaseException:
        path.unlink(missing_ok=True)
        file.close()
        raise
    return file
