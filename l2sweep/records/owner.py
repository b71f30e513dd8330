"""Whether the process that made a file still lives, where several hosts or containers share a folder.

Its maker keeps the file locked: the kernel gives the lock back when it dies, however it dies (flock(2)), in
whatever container it ran. Of another kernel's processes nothing can be known, and their files are left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Host:
    """Where a file was made.

    Attributes:
        name: Of the host or container.
        boot_id: Of the running kernel: proc_sys_kernel(5), ``random/boot_id``.
    """

    name: str
    boot_id: str

    @classmethod
    def here(cls) -> Host:
        """Return this one."""
        try:
            boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            boot_id = ""
        return cls(platform.node(), boot_id)

    @property
    def is_here(self) -> bool:
        """Whether its processes are this kernel's, or died with the kernel that this host ran before."""
        here = Host.here()
        return self.boot_id == here.boot_id or self.name == here.name


def hold(file: IO[Any]) -> None:
    """Mark a file as its maker's, until it is closed, where the file system has locks."""
    with contextlib.suppress(OSError):  # nor can another take it there: :func:`is_held` fails likewise
        fcntl.flock(file, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Whether the process that made a file here lives and has it open."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # it is locked, gone, somebody else's, or the file system has no locks
        return True
    return False
