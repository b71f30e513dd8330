"""Where a point was measured: the machine, and the file system behind the adapter's path."""

from __future__ import annotations

import os
import platform
import re
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Machine:
    """The machine that measures.

    Attributes:
        host: Its name.
        kernel: System and release.
        cpu_model: As ``/proc/cpuinfo`` names it.
        cpu_count: Processors that this process may use.
        memory_bytes: All memory.
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
            cpu_count=len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 0,
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )

    def columns(self) -> dict[str, Any]:
        """Return the columns of the data set ``points`` that it fills."""
        return asdict(self)


@dataclass(frozen=True)
class Storage:
    """What lies behind a path.

    Attributes:
        fs_type: Type of the file system; ``block`` for a device itself.
        mount_point: Where it is mounted.
        mount_options: Of the mount and of the file system.
        block_device: Name of the device in ``/dev``; None where there is none (tmpfs, overlayfs, a
            network).
    """

    fs_type: str | None = None
    mount_point: str | None = None
    mount_options: str | None = None
    block_device: str | None = None

    @classmethod
    def behind(cls, path: str | None) -> Storage:
        """Return what lies behind a path, which need not exist yet."""
        if path is None:
            return cls()
        existing = nearest_existing(Path(path).expanduser().absolute())
        information = existing.stat()
        if stat.S_ISBLK(information.st_mode):
            return cls(fs_type="block", block_device=_device_name(information.st_rdev))
        resolved = existing.resolve()
        above = [mount for mount in _mounts() if resolved.is_relative_to(mount.point)]
        if not above:
            return cls()
        # Of two mounts on one point the later one hides the earlier one.
        mount = max(reversed(above), key=lambda mount: len(mount.point.parts))
        return cls(mount.fs_type, str(mount.point), mount.options, _device_name(information.st_dev))


@dataclass(frozen=True)
class _Mount:
    point: Path
    fs_type: str
    options: str


def effective_odirect(spec: Mapping[str, Any], data_size_bytes: int, path: str | None) -> bool | None:
    """Whether an adapter's files are really opened with O_DIRECT, or None where it cannot be known.

    LMCache's file adapters fall back to buffered reads and writes, without failing, when a size is not a
    multiple of the file system's block (``FSL2Adapter`` of LMCache 0.5.6).
    """
    inner = spec.get("inner")
    if isinstance(inner, Mapping):
        return effective_odirect(inner, data_size_bytes, path)
    if spec.get("type") not in ("fs", "fs_native") or path is None:
        return None
    if not spec.get("use_odirect", False):
        return False
    block_bytes = os.statvfs(nearest_existing(Path(path).absolute())).f_bsize
    return block_bytes > 0 and data_size_bytes % block_bytes == 0


def git_commit(folder: Path) -> str | None:
    """Return the commit that a folder's files are tracked in, ``-dirty`` when they differ from it."""

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
    """Return a path, or the nearest folder above it that is there."""
    while not path.exists():
        path = path.parent
    return path


def _mounts() -> list[_Mount]:
    """Return the mounts that this process sees: proc_pid_mountinfo(5)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        left, _, right = line.partition(" - ")
        _, _, _, _, point, options, *_ = left.split(" ")
        fs_type, _, super_options = right.split(" ", 2)
        mounts.append(_Mount(_unescaped(point), fs_type, f"{options};{super_options}"))
    return mounts


def _unescaped(point: str) -> Path:
    """Undo the octal escapes of blanks and backslashes in a mount point."""
    return Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), point))


def _device_name(device: int) -> str | None:
    link = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    return link.resolve().name if link.exists() else None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
