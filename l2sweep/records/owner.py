"""Tell whether the process that created a file is still alive, even in another container.

The process keeps the file locked. The kernel releases the lock when the process dies for any reason, in any
container (flock(2)). The state of processes on another host is unknown: their files are never touched.

A lock file also contains a record of its owner. The lock tells whether the owner is alive. The record tells
which process it is, and on which host.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from l2sweep.errors import shown
from l2sweep.records.trusted_files import UntrustedFileError, create_new, is_sweep_id, open_regular

_LARGEST_RECORD_BYTES = 4096  # a record has about 300 bytes
_LARGEST_PID = 1 << 22  # PID_MAX_LIMIT: proc_sys_kernel(5), pid_max
_TRIES = 5  # status and the readers of journals hold a shared lock for less than a millisecond
_BETWEEN_TRIES_S = 0.02


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


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock.

    Attributes:
        sweep_id: The sweep that it runs.
        host: Host that it runs on.
        pid: Its process id.
        pid_namespace: Inode of its PID namespace, in which its process id is valid: pid_namespaces(7).
        started_ticks: When it started, in clock ticks after the boot: proc_pid_stat(5), ``starttime``. No
            other process of the same boot has the same process id and start.
        since: When it acquired the lock, as text in ISO 8601, in UTC.
    """

    sweep_id: str
    host: Host
    pid: int
    pid_namespace: int
    started_ticks: int
    since: str

    @classmethod
    def of_this_process(cls, sweep_id: str) -> Owner:
        """Return the record of this process.

        Args:
            sweep_id: The sweep that it runs.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(sweep_id, Host.here(), os.getpid(), _pid_namespace(), _started_ticks(os.getpid()), now)

    @classmethod
    def from_json(cls, text: bytes) -> Owner | None:
        """Return the owner in a record that anybody may have written; None if it is not a valid record.

        Args:
            text: The record.
        """
        try:
            values = json.loads(text)
            owner = cls(**{**values, "host": Host(**values["host"])})
            since = datetime.fromisoformat(owner.since).isoformat(timespec="seconds")
        # RecursionError: thousands of brackets
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        numbers = (owner.pid, owner.pid_namespace, owner.started_ticks)
        is_valid = (
            is_sweep_id(owner.sweep_id)
            and all(isinstance(value, str) for value in vars(owner.host).values())
            and all(type(number) is int and number >= 0 for number in numbers)
            and 0 < owner.pid <= _LARGEST_PID
            and since == owner.since
        )
        return owner if is_valid else None

    @classmethod
    def read(cls, descriptor: int) -> Owner | None:
        """Return the owner that an open file names; None if the file contains no valid record.

        Args:
            descriptor: File descriptor of a file that anybody may have written.
        """
        text = os.pread(descriptor, _LARGEST_RECORD_BYTES + 1, 0)
        return cls.from_json(text) if len(text) <= _LARGEST_RECORD_BYTES else None

    def to_json(self) -> bytes:
        """Return the record of this owner."""
        return json.dumps(asdict(self)).encode()

    def write(self, file: BinaryIO) -> None:
        """Write the record to a new file, and flush it to the disk.

        Args:
            file: An empty file.

        Raises:
            OSError: It cannot be written.
        """
        file.write(self.to_json())
        file.flush()
        os.fsync(file.fileno())

    @property
    def has_ended(self) -> bool:
        """Whether the process has certainly ended. False if this process cannot tell."""
        here = Host.here()
        if self.host.boot_id != here.boot_id:
            return self.host.is_here  # this host was rebooted
        return self.pid_namespace == _pid_namespace() and self.started_ticks != _started_ticks(self.pid)

    @property
    def is_alive(self) -> bool:
        """Whether the process certainly runs. False if this process cannot tell."""
        is_visible = (self.host.boot_id, self.pid_namespace) == (Host.here().boot_id, _pid_namespace())
        return is_visible and self.started_ticks == _started_ticks(self.pid) != 0

    def __str__(self) -> str:
        """Return process, host and time in one line that a terminal can take."""
        return f"process {self.pid} on host {shown(self.host.name)} since {self.since}"


def open_held(path: Path) -> BinaryIO:
    """Create a file, and lock it until it is closed. An existing file is never opened.

    Args:
        path: Path of the file: a unique one, such as :func:`l2sweep.records.files.half_written` returns.

    Returns:
        The open file. It is not locked if the file system does not support locks.

    Raises:
        FileExistsError: Something already has this path.
        OSError: The file cannot be created.
    """
    while True:
        file = create_new(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_at(path, file.fileno()):
                return file
        except OSError:
            return file  # the file system has no locks: then is_held() is always true
        file.close()  # another process removed it before it was locked: is_held() was false


def is_held(path: Path) -> bool:
    """Return False only if the path exists and certainly no live process holds it.

    A symbolic link, a FIFO, a device or a folder is not held: l2sweep locks only regular files.
    """
    try:
        descriptor = open_regular(path, os.O_RDONLY)
    except UntrustedFileError:
        return False
    except OSError:  # removed, or not readable
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # locked, or a file system without locks
        return True
    finally:
        os.close(descriptor)
    return False


def try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed, and return whether that was possible without waiting.

    It is tried for 0.1 s, because a process that only looks whether the file is locked also locks it for a
    moment.

    Args:
        descriptor: File descriptor. On a local file system it may be open for reading only: flock(2).

    Raises:
        OSError: The file system has no locks.
    """
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_BETWEEN_TRIES_S)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def is_at(path: Path, descriptor: int) -> bool:
    """Whether an open file still has this path: nobody removed or replaced it.

    Args:
        path: The path.
        descriptor: File descriptor of the file.
    """
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _pid_namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _started_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks after the boot; 0 if there is no such process."""
    # The name of the program, in parentheses, may contain spaces and parentheses.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
