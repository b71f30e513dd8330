"""Tell whether the process that created a file is still alive, even in another container.

The process keeps the file locked. The kernel releases the lock when the process dies for any reason, in any
container (flock(2)). The state of processes on another host is unknown: their files are never touched.
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
    """A host or container, and the kernel that it runs on.

    Attributes:
        name: Name of the host or container.
        machine_id: Id of the installed system, machine-id(5); empty if it has none, as in many containers.
        boot_id: Id of the boot of the kernel: proc_sys_kernel(5), ``random/boot_id``.
    """

    name: str
    machine_id: str
    boot_id: str

    @classmethod
    def here(cls) -> Host:
        """Return the host of this process."""
        return cls(
            platform.node(), _read("/etc/machine-id"), _read("/proc/sys/kernel/random/boot_id") or "unknown"
        )

    @property
    def is_here(self) -> bool:
        """Whether its processes run on this kernel, or ran on this host before a reboot."""
        here = Host.here()
        same_system = bool(here.machine_id) and (self.name, self.machine_id) == (here.name, here.machine_id)
        return self.boot_id == here.boot_id or same_system


def open_held(path: Path) -> BinaryIO:
    """Create or truncate a file, and lock it until it is closed.

    Args:
        path: Path of the file.

    Returns:
        The open file. It is not locked if the file system does not support locks.
    """
    while True:
        file = path.open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        except FileNotFoundError:
            pass  # another process removed it before it was locked: is_held() was false
        except OSError:
            return file  # the file system has no locks: then is_held() is always true
        file.close()


def is_held(path: Path) -> bool:
    """Return False only if the file exists and certainly no live process has it open."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # locked, removed, not readable, or a file system without locks
        return True
    return False


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
