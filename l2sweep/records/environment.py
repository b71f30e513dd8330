"""Describe the machine that measures a point, and the file system that holds its data."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Machine:
    """The machine that runs the benchmark.

    Attributes:
        host: Host name.
        kernel: Name and release of the operating system.
        cpu_model: CPU model, as in ``/proc/cpuinfo``.
        cpu_count: Number of processors that this process may use.
        memory_bytes: Total memory.
    """

    host: str
    kernel: str
    cpu_model: str
    cpu_count: int
    memory_bytes: int

    @classmethod
    def here(cls) -> Machine:
        """Return this machine."""
        return cls(
            host=platform.node(),
            kernel=f"{platform.system()} {platform.release()}",
            cpu_model=_cpu_model(),
            cpu_count=len(os.sched_getaffinity(0)),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )

    def columns(self) -> dict[str, Any]:
        """Return the columns of the data set ``points`` that describe the machine."""
        return asdict(self)


@dataclass(frozen=True)
class Storage:
    """The file system or block device that a path is on.

    Attributes:
        fs_type: Type of the file system; ``block`` if the path is a block device.
        mount_point: Mount point of the file system.
        mount_options: Options of the mount, then those of the file system, separated by a semicolon.
        block_device: Name of the device in ``/dev``; for btrfs with several devices, of the one that is
            mounted. None if the file system has none (tmpfs, overlayfs, network file systems).
        block_device_model: Model of that device, as in ``/sys``; None if the driver names none (virtio).
    """

    fs_type: str | None = None
    mount_point: str | None = None
    mount_options: str | None = None
    block_device: str | None = None
    block_device_model: str | None = None

    @classmethod
    def behind(cls, path: str | None) -> Storage:
        """Return the storage of a path. The path does not have to exist yet."""
        if path is None:
            return cls()
        existing = nearest_existing(Path(path).expanduser().absolute())
        information = existing.stat()
        if stat.S_ISBLK(information.st_mode):
            device = _device_name(information.st_rdev)
            return cls("block", block_device=device, block_device_model=_device_model(device))
        resolved = existing.resolve()
        mounts = [mount for mount in _mounts() if resolved.is_relative_to(str(mount.mount_point))]
        if not mounts:
            return cls()
        # If two file systems are mounted on one mount point, the later one hides the earlier one.
        mount = max(reversed(mounts), key=lambda mount: len(str(mount.mount_point)))
        device = _device_name(information.st_dev) or _device_of_source(mount.block_device or "")
        return replace(mount, block_device=device, block_device_model=_device_model(device))


def git_commit(folder: Path) -> str | None:
    """Return the git commit of a folder.

    Returns:
        The commit, followed by ``-dirty`` if a file in the folder differs from it. None if git tracks no
        file of the folder.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        if not git("ls-files", "--", "."):
            return None
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def nearest_existing(path: Path) -> Path:
    """Return the path if it exists, else its nearest parent that exists."""
    while not path.exists():
        path = path.parent
    return path


def _mounts() -> Iterator[Storage]:
    """Yield the mounts that are visible to this process: proc_pid_mountinfo(5).

    Their ``block_device`` is the source of the mount as the kernel shows it.
    """
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        _, _, _, _, escaped, options, *_ = left.split(" ")
        fs_type, source, super_options = right.split(" ", 2)
        # The kernel writes white space and backslashes as octal escapes.
        mount_point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), escaped)
        yield Storage(fs_type, mount_point, f"{options};{super_options}", source)


def _device_name(device: int) -> str | None:
    link = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    try:
        return link.resolve(strict=True).name
    except OSError:  # no block device has this number, or the folder is hidden, as in a container of podman
        return None


def _device_model(device: str | None) -> str | None:
    """Return the model of a device, or of the device that has this partition."""
    if device is None:
        return None
    block = Path("/sys/class/block", device).resolve()
    for folder in (block, block.parent):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return (folder / "device" / "model").read_text().strip() or None
    return None


def _device_of_source(source: str) -> str | None:
    """Return the device that is mounted. Files on btrfs have device numbers that belong to no device."""
    try:
        information = Path(source).stat()
    except OSError:
        return None
    return _device_name(information.st_rdev) if stat.S_ISBLK(information.st_mode) else None


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
