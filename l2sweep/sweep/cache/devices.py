"""Follow the storage of a path down to its lowest block devices, through loop devices, device-mapper and md.

Sources: Documentation/ABI/stable/sysfs-block and Documentation/ABI/testing/sysfs-block of Linux.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from l2sweep.records.environment import Storage

# Their files are memory: no device holds the data.
_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs", "hugetlbfs")
# The server has a cache as well, which cannot be observed from this machine.
_NETWORK_FILE_SYSTEMS = (
    *("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "glusterfs", "beegfs", "afs"),
    *("virtiofs", "fuse", "fuseblk"),
)
# The pages of an overlay belong to the layer below, and ZFS keeps its data in a cache of its own:
# cachestat(2) and mincore(2) do not show them.
_HIDDEN_PAGES_FILE_SYSTEMS = ("overlay", "zfs")
# Block devices whose blocks are memory, or are on a server: drivers/block of Linux.
_MEMORY_DEVICES = re.compile(r"(ram|zram|nullb)\d+")
_SERVER_DEVICES = re.compile(r"(nbd|rbd)\d+")
_LOCAL_NVME_TRANSPORTS = ("pcie", "apple-nvme")
_BLOCK_DEVICES = Path("/sys/class/block")
_BTRFS = Path("/sys/fs/btrfs")


@dataclass(frozen=True)
class StorageStack:
    """The storage of a path, and what is below it.

    Attributes:
        storage: The file system or block device of the path.
        devices: Names in ``/dev`` of the lowest block devices, whose counters show what was really read and
            written; empty if one of them is unknown, or does not count.
        loop_files: Files of the loop devices on the way, from the highest to the lowest. The kernel caches
            their pages as well.
        is_buffered_below: Whether a loop device reads its file through the page cache, so that O_DIRECT does
            not bypass it.
        memory: The memory that holds the data, as the end of a sentence: "tmpfs, whose files are memory";
            empty if there is none.
        server: What is on a server, whose cache cannot be observed; empty if nothing is.
        unknown: Why it cannot be observed whether a device was read; empty if it can.
    """

    storage: Storage
    devices: tuple[str, ...] = ()
    loop_files: tuple[str, ...] = ()
    is_buffered_below: bool = False
    memory: str = ""
    server: str = ""
    unknown: str = ""

    @classmethod
    def below(cls, path: str | None) -> StorageStack:
        """Return the storage of a path and all below it. The path does not have to exist yet."""
        storage = Storage.behind(path)
        walk = _Walk()
        walk.storage(storage)
        return cls(
            storage,
            () if walk.has_gap else tuple(dict.fromkeys(walk.devices)),
            tuple(walk.loop_files),
            walk.is_buffered_below,
            walk.memory,
            walk.server,
            walk.unknown,
        )


def is_network(storage: Storage) -> bool:
    """Whether a server holds the data, judged by the type of the file system."""
    fs_type = storage.fs_type or ""
    return fs_type in _NETWORK_FILE_SYSTEMS or fs_type.startswith("fuse.")


def hides_pages(storage: Storage) -> bool:
    """Whether files on this storage are in the page cache but the kernel reports none of their pages."""
    return storage.fs_type in _HIDDEN_PAGES_FILE_SYSTEMS


@dataclass
class _Walk:
    """A walk from one storage down to all of its lowest devices."""

    devices: list[str] = field(default_factory=list)
    loop_files: list[str] = field(default_factory=list)
    is_buffered_below: bool = False
    memory: str = ""
    server: str = ""
    unknown: str = ""
    has_gap: bool = False
    _visited: set[str] = field(default_factory=set)

    def storage(self, storage: Storage, context: str = "") -> None:
        """Visit a file system or block device.

        Args:
            storage: The storage.
            context: What is above it, as the start of a sentence; empty: nothing.
        """
        if storage.fs_type in _MEMORY_FILE_SYSTEMS:
            self.memory = self.memory or f"{context}{storage.fs_type}, whose files are memory"
        elif is_network(storage):
            self.server = self.server or f"{context}{storage.fs_type}"
        elif storage.block_device is not None:
            for device in _members(storage):
                self.device(device, context)
            return
        elif (upper := _upper_folder(storage)) and upper not in self._visited:
            self._visited.add(upper)
            self.storage(Storage.behind(upper), context)
            return
        self.has_gap = True
        if context and not self.memory and not self.server:
            self.unknown = self.unknown or f"{context}{storage.fs_type}, whose devices are unknown"

    def device(self, name: str, context: str) -> None:
        """Visit a block device."""
        if name in self._visited:
            return
        self._visited.add(name)
        folder = (_BLOCK_DEVICES / name).resolve()
        disk = folder.parent if (folder / "partition").exists() else folder
        slaves = sorted(slave.name for slave in (disk / "slaves").glob("*"))
        if (disk / "loop").is_dir():
            self._loop(disk, context)
        elif slaves:
            for slave in slaves:
                self.device(slave, context)
        elif _MEMORY_DEVICES.fullmatch(disk.name):
            self.memory = self.memory or f"{context}{name}, a block device in memory"
        elif problem := _server(disk):
            self.server = self.server or f"{context}{name} ({problem})"
        elif _counts(folder, disk):
            self.devices.append(name)
        else:
            self.has_gap = True
            if context:
                self.unknown = self.unknown or f"{context}{name}, which does not count its reads"

    def _loop(self, disk: Path, context: str) -> None:
        file = _text(disk / "loop" / "backing_file")
        if not file or not Path(file).exists():
            self.has_gap = True
            self.unknown = self.unknown or f"{context}{disk.name}, whose file cannot be found here"
            return
        self.loop_files.append(file)
        self.is_buffered_below = self.is_buffered_below or _text(disk / "loop" / "dio") != "1"
        self.storage(Storage.behind(file), f"{context}{disk.name}, whose file {file} is on ")


def _members(storage: Storage) -> list[str]:
    """Return the block devices of a file system: several only for btrfs."""
    name = str(storage.block_device)
    if storage.fs_type == "btrfs":
        for folder in _BTRFS.glob("*/devices"):
            names = sorted(device.name for device in folder.iterdir())
            if name in names:
                return names
    return [name]


def _upper_folder(storage: Storage) -> str:
    """Return the folder to which an overlay writes; empty if there is none, or it is not visible here."""
    found = re.search(r"(?:^|[,;])upperdir=([^,]+)", storage.mount_options or "")
    if storage.fs_type != "overlay" or not found:
        return ""
    return found[1] if Path(found[1]).is_dir() else ""


def _server(disk: Path) -> str:
    """Return which server a block device is on; empty if it is not known to be on one."""
    if _SERVER_DEVICES.fullmatch(disk.name):
        return "a network block device"
    for file in (disk / "device" / "transport", *(disk / "device").glob("nvme*/transport")):
        transport = _text(file)
        if disk.name.startswith("nvme") and transport and transport not in _LOCAL_NVME_TRANSPORTS:
            return f"NVMe over {transport}"
    return ""


def _counts(folder: Path, disk: Path) -> bool:
    """Whether a device counts what it transfers.

    The counters can be switched off. Older kernels do not count on devices of NVMe multipath. A disk that was
    never used does not exist: the kernel reads its partition table.
    """
    counters = _text(folder / "stat").split()
    return _text(disk / "queue" / "iostats") != "0" and any(int(value) for value in counters)


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
