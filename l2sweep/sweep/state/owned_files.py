"""The files that l2sweep filled, so that a later sweep may overwrite them.

Only adapters that take a whole file have such files. A path does not identify a file, and neither does its
inode: file systems use the number of a deleted file again.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from l2sweep.bench.page_cache import libc
from l2sweep.records.files import written_whole
from l2sweep.records.owner import Host
from l2sweep.records.trusted_files import UntrustedFileError, read_trusted

_FILE = "owned_files.json"
# statx(2), the same on every architecture: linux/stat.h
_AT_FDCWD = -100
_STATX_BTIME = 0x800
_STATX_BYTES = 256
_MASK_AT, _BTIME_AT = 0, 80


@dataclass(frozen=True)
class FileIdentity:
    """What tells a file from another one that has, or had, the same path.

    Attributes:
        host: Name of the host.
        device: Device number of the file system: stat(2), ``st_dev``.
        inode: Its inode.
        created_ns: Time of its creation in nanoseconds: statx(2), ``stx_btime``; None if the file system does
            not report it.
        changed_ns: Time of its last change in nanoseconds: stat(2), ``st_ctime``. It counts only without
            ``created_ns``: then a file that was changed since it was recorded is foreign.
    """

    host: str
    device: int
    inode: int
    created_ns: int | None
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> FileIdentity | None:
        """Return the identity of a file, also through a symbolic link; None if there is no regular file.

        Args:
            path: Path of the file.
        """
        try:
            status = path.stat()
        except OSError:
            return None
        if not path.is_file():
            return None
        return cls(Host.here().name, status.st_dev, status.st_ino, _created_ns(path), status.st_ctime_ns)

    def is_same_file(self, other: FileIdentity | None) -> bool:
        """Whether another identity is that of this file.

        Args:
            other: Of the file that is found now.
        """
        if other is None or (self.host, self.device, self.inode) != (other.host, other.device, other.inode):
            return False
        if self.created_ns is None or other.created_ns is None:
            return self.created_ns == other.created_ns and self.changed_ns == other.changed_ns
        return self.created_ns == other.created_ns


@dataclass(frozen=True)
class OwnedFiles:
    """The list of the files that l2sweep filled.

    Attributes:
        entries: The identity of each file by its resolved path.
        ignored_because: Why the list was not read; empty if it was, or if there is none.
    """

    entries: dict[str, FileIdentity]
    ignored_because: str = ""

    @classmethod
    def load(cls, results_dir: str) -> OwnedFiles:
        """Read the list. Without it, every file is foreign, which is safe.

        An entry of an earlier release is a host and an inode, which do not prove enough: it is ignored.

        Args:
            results_dir: Folder of the results.
        """
        try:
            values = json.loads(read_trusted(Path(results_dir) / _FILE, Path(results_dir)))
        except UntrustedFileError as error:
            return cls({}, str(error))
        except (OSError, ValueError, RecursionError):
            return cls({})
        entries: dict[str, FileIdentity] = {}
        for path, entry in values.items() if isinstance(values, dict) else ():
            try:
                entries[path] = _ENTRY.validate_json(json.dumps(entry), strict=True)
            except (ValidationError, RecursionError):
                continue
        return cls(entries)

    def contains(self, path: Path) -> bool:
        """Whether a file is one that l2sweep filled.

        Args:
            path: Path of the file.
        """
        entry = self.entries.get(str(path.resolve()))
        return entry is not None and entry.is_same_file(FileIdentity.of(path))


class OwnedFileRecorder:
    """Record the file that one point fills, once its adapter has it.

    A file that somebody else puts there, before the point or after an adapter that failed, is not recorded.

    Args:
        path: The file that the adapter overwrites; None: it overwrites none, and nothing is recorded.
        results_dir: Folder of the results.
    """

    def __init__(self, path: str | None, results_dir: str) -> None:
        self._path = None if path is None else Path(path)
        self._results_dir = Path(results_dir)
        self._before = None if self._path is None else FileIdentity.of(self._path)

    def record(self) -> None:
        """Record the file that is there now. Call this after the adapter has created or opened it.

        Raises:
            OSError: The list cannot be written.
        """
        found = None if self._path is None else FileIdentity.of(self._path)
        if self._path is None or found is None:
            return
        if self._before is not None and not _is_same_inode(self._before, found):
            return  # the file was replaced meanwhile: the adapter may have opened either
        owned = OwnedFiles.load(str(self._results_dir))
        if owned.ignored_because:
            return
        key = str(self._path.resolve())
        if owned.entries.get(key) == found:
            return
        entries = {path: asdict(entry) for path, entry in {**owned.entries, key: found}.items()}
        with written_whole(self._results_dir / _FILE) as file:
            file.write(json.dumps(entries).encode())


_ENTRY = TypeAdapter(FileIdentity)


def _is_same_inode(one: FileIdentity, other: FileIdentity) -> bool:
    return (one.device, one.inode, one.created_ns) == (other.device, other.inode, other.created_ns)


def _created_ns(path: Path) -> int | None:
    """Return the time of a file's creation in nanoseconds; None if it is unknown."""
    result = ctypes.create_string_buffer(_STATX_BYTES)
    try:
        failed = libc().statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, result)
    except AttributeError:  # a C library without statx: glibc before 2.28
        return None
    (mask,) = struct.unpack_from("=I", result, _MASK_AT)
    if failed or not mask & _STATX_BTIME:
        return None
    seconds, nanoseconds = struct.unpack_from("=qI", result, _BTIME_AT)
    return int(seconds * 10**9 + nanoseconds)
