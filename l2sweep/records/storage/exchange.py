"""Exchange two folders in one step, so that nobody ever sees neither or both of them."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

# renameat2(2): since Linux 3.15, and in glibc since 2.28. ext4, XFS, Btrfs, tmpfs and overlayfs support it.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_UNSUPPORTED = "the file system cannot exchange two folders in one step"


def exchange(first: Path, second: Path) -> None:
    """Exchange two paths of one file system atomically: renameat2(2), ``RENAME_EXCHANGE``.

    Args:
        first: An existing path.
        second: Another existing path.

    Raises:
        OSError: They were not exchanged. ``EINVAL``, ``ENOSYS``: the file system, the kernel or the C library
            cannot do it; NFS cannot.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        rename = libc.renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, _UNSUPPORTED, str(first)) from None
    if rename(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        is_unsupported = number in (errno.EINVAL, errno.ENOSYS)
        raise OSError(number, _UNSUPPORTED if is_unsupported else os.strerror(number), str(first))
