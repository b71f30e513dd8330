"""Open, create and read files in folders that other users may be able to write to.

A file that another user could have written is data at best, and never a command. A path that another user
could have prepared may be a symbolic link, a FIFO or a device. Every file that an earlier run left, and every
file with a name that can be predicted, is opened here.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from pathlib import Path
from typing import BinaryIO

from l2sweep.errors import L2SweepError, shown

_ROOT_UID = 0
_LARGEST_BYTES = 256 << 20  # a manifest of 100,000 points has about 60 MiB
_SWEEP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class UntrustedFileError(L2SweepError):
    """A file is not read, because another user may have written it.

    Args:
        path: The file.
        reason: Why it is not trusted: a clause such as "it belongs to user 1000".
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{shown(path)} is ignored: {reason}")
        self.path = path
        self.reason = reason


def create_new(path: Path, mode: int = 0o644) -> BinaryIO:
    """Create a file that does not exist yet, and open it for writing.

    Neither an existing file nor a symbolic link is ever opened: ``O_EXCL``, open(2).

    Args:
        path: Path of the file.
        mode: Permissions of the file, before the umask.

    Raises:
        FileExistsError: Something already has this path.
        OSError: The file cannot be created.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    return os.fdopen(descriptor, "r+b")


def open_regular(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a regular file that others may have prepared, without following a link and without blocking.

    Args:
        path: Path of the file.
        flags: Flags of open(2). ``O_NOFOLLOW``, ``O_NONBLOCK`` (a FIFO cannot block) and ``O_CLOEXEC`` are
            added.
        mode: Permissions of a file that is created.

    Returns:
        The file descriptor.

    Raises:
        UntrustedFileError: The path is a symbolic link, or not a regular file.
        OSError: The file cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode)
    except OSError:
        if path.is_symlink():
            raise UntrustedFileError(path, "it is a symbolic link") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UntrustedFileError(path, "it is not a regular file")
    return descriptor


def read_trusted(path: Path, below: Path) -> bytes:
    """Read a file that only the user of this process, or root, can have written.

    Args:
        path: Path of the file.
        below: The folder of the results. It and each folder between it and the file are checked as well.

    Returns:
        The content.

    Raises:
        UntrustedFileError: The file or one of the folders belongs to another user, can be written by others,
            or is a symbolic link, or the file is not a regular file. A folder with the sticky bit above the
            file's own folder may be writable by others: they can add files to it, but not replace files.
        OSError: The file cannot be read.
    """
    folders = [below, *(below / part for part in reversed(path.relative_to(below).parents[:-1]))]
    for folder in folders:
        # The user may have linked the results folder itself. A link below it may come from somebody else.
        status = folder.stat() if folder is below else folder.lstat()
        can_only_add = folder != path.parent and status.st_mode & stat.S_ISVTX and is_owned(status)
        if not can_only_add and (reason := why_untrusted(status)):
            raise UntrustedFileError(path, f"its folder {shown(folder)}: {reason}")
    descriptor = open_regular(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if reason := why_untrusted(status):
            raise UntrustedFileError(path, reason)
        if status.st_size > _LARGEST_BYTES:
            raise UntrustedFileError(
                path, f"it has {status.st_size} bytes, and at most {_LARGEST_BYTES} are read"
            )
        return file.read()


def why_untrusted(status: os.stat_result) -> str:
    """Return why the content of a file or folder may come from another user; empty if it cannot.

    Args:
        status: The result of stat(2) or lstat(2) for it.
    """
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link"
    if not is_owned(status):
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & stat.S_IWOTH:
        return "every user can write to it"
    if status.st_mode & stat.S_IWGRP and not _is_private_group(status.st_gid):
        return f"group {status.st_gid} can write to it"
    return ""


def is_owned(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to the user of this process, or to root.

    Args:
        status: The result of stat(2) or lstat(2) for it.
    """
    return status.st_uid in (os.geteuid(), _ROOT_UID)


def _is_private_group(gid: int) -> bool:
    """Whether the user of this process is the only member of a group.

    Most distributions make such a group for each user. OpenSSH in Debian accepts files that such a group can
    write to, by the same rule.
    """
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def is_sweep_id(text: object) -> bool:
    """Whether a value that was read from a file can be the id of a sweep, and so the name of its folder.

    It is one component of a path: no separator, no leading dot or dash, no control character. ``latest``
    is not an id, because commands take it as the newest sweep.

    Args:
        text: Such as the ``sweep_id`` of a row.
    """
    return isinstance(text, str) and _SWEEP_ID.fullmatch(text) is not None and text != "latest"
