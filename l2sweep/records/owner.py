"""Whether the process that made a file still lives, where several hosts or containers share a folder.

Its maker keeps the file locked: the kernel gives the lock back when it dies, however it dies (flock(2)), in
whatever container it ran. Of another kernel's processes nothing can be known, and their files are left alone.
"""

from __future__ import annotations

import fcntl
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True)
class Host:
    """Where a file was made.

    Attributes:
        name: Of the host or container.
        machine_id: Of the installed system, machine-id(5); empty where it has none, as in many containers.
        boot_id: Of the running kernel: proc_sys_kernel(5), ``random/boot_id``.
    """

    name: str
    machine_id: str
    boot_id: str

    @classmethod
    def here(cls) -> Host:
        """Return this one."""
        return cls(
            platform.node(), _read("/etc/machine-id"), _read("/proc/sys/kernel/random/boot_id") or "unknown"
        )

    @property
    def is_here(self) -> bool:
        """Whether its processes are this kernel's, or died with the kernel that this host ran before."""
        here = Host.here()
        same_system = bool(here.machine_id) and (self.name, self.machine_id) == (here.name, here.machine_id)
        return self.boot_id == here.boot_id or same_system


def open_held(path: Path) -> BinaryIO:
    """Make a file, or empty it, and mark it as this process's until it is closed.

    Args:
        path: Of the file.
    """
    while True:
        file = path.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        except FileNotFoundError:
            pass  # it was taken for a dead process's in the moment before it was locked
        except OSError:
            return file  # no locks on this file system: nobody can take it, and is_held() fails likewise
        file.close()


def is_held(path: Path) -> bool:
    """Whether the process that made a file here lives and has it open."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # it is locked, gone, somebody else's, or the file system has no locks
        return True
    return False


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
