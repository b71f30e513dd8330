"""How much of a point's data is in the page cache, as the kernel reports it.

The benchmark process uses it just before the first round of a phase, the launcher before and after it drops
the page cache.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import mmap
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from l2sweep.errors import BenchError

_SYS_CACHESTAT = 451  # the same number on every architecture: scripts/syscall.tbl of Linux
PAGE_BYTES = mmap.PAGESIZE


@dataclass(frozen=True)
class Residency:
    """Page counts of files.

    Attributes:
        pages: Number of pages of the files.
        resident_pages: Number of pages that are in the page cache.
        dirty_pages: Number of pages in the page cache that are not on the device yet; None if the kernel does
            not report them.
    """

    pages: int
    resident_pages: int
    dirty_pages: int | None

    @property
    def resident_fraction(self) -> float:
        """Fraction of the pages that are in the page cache, 0 to 1."""
        return self.resident_pages / self.pages if self.pages else 0.0

    @property
    def dirty_fraction(self) -> float | None:
        """Fraction of the pages that are dirty, 0 to 1; None if the kernel does not report them."""
        return None if self.dirty_pages is None else self.dirty_pages / max(1, self.pages)


def residency(paths: Sequence[str], namespace: str) -> Residency | None:
    """Count the pages of a point's data that are in the page cache.

    Args:
        paths: Folders, files and block devices where the adapter keeps its data.
        namespace: Namespace of the point's keys. Files with this name in theirs belong to the point.

    Returns:
        The page counts; None if the kernel does not report them.
    """
    return residency_of(data_files(paths, namespace))


def residency_of(files: Sequence[str]) -> Residency | None:
    """Count the pages of files that are in the page cache.

    Args:
        files: Files and block devices. Those that do not exist have no pages.

    Returns:
        The page counts; None if the kernel does not report them.
    """
    totals = [0, 0, 0]
    dirty_known = True
    for path in files:
        try:
            with open_for_inspection(path) as descriptor:
                found = _residency_of_file(descriptor)
        except FileNotFoundError:
            continue  # deleted since the folder was listed
        except OSError:
            return None
        if found is None:
            return None
        totals[0] += found.pages
        totals[1] += found.resident_pages
        totals[2] += found.dirty_pages or 0
        dirty_known = dirty_known and found.dirty_pages is not None
    return Residency(totals[0], totals[1], totals[2] if dirty_known else None)


def resident_fraction(paths: Sequence[str], namespace: str) -> float | None:
    """Return the fraction of a point's pages that are in the page cache.

    Args:
        paths: As for :func:`residency`.
        namespace: Namespace of the point's keys.

    Returns:
        The fraction, 0 to 1; None if there are no paths, or the kernel does not report the pages.
    """
    found = residency(paths, namespace) if paths else None
    return None if found is None else found.resident_fraction


def require_cold(phase: str, fraction: float | None, limit: float | None) -> None:
    """Check that a lookup or load that should be cold starts cold.

    Args:
        phase: store, lookup or load. A store may always start.
        fraction: Fraction of the point's pages that are in the page cache, 0 to 1; None: unknown.
        limit: The largest fraction that is allowed; None: any.

    Raises:
        BenchError: The fraction is larger than the limit, so that the phase must not be measured.
    """
    if phase != "store" and fraction is not None and limit is not None and fraction > limit:
        raise BenchError(
            f"{phase}: not run, because {fraction:.1%} of its pages are in the page cache "
            f"(cache.max_resident_fraction={limit})"
        )


def name_in_files(namespace: str) -> str:
    """Return a namespace as it appears in file names of LMCache's file adapters (fs_l2_adapter.py)."""
    return namespace.replace("/", "-SEP-")


def data_files(paths: Sequence[str], namespace: str) -> list[str]:
    """Return the files and devices that contain a point's data.

    In folders these are the files whose names contain the namespace, as LMCache's file adapters name them. If
    there is no such file, these are all files.

    Args:
        paths: Folders, files and block devices.
        namespace: Namespace of the point's keys.
    """
    own_name = name_in_files(namespace)
    given: list[str] = []
    listed: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            given += [path] if Path(path).exists() else []
            continue
        for folder, _, names in os.walk(path):
            listed += [f"{folder}/{name}" for name in names]
    own = [path for path in listed if own_name in path.rpartition("/")[2]]
    return given + (own or listed)


@contextlib.contextmanager
def open_for_inspection(path: str) -> Iterator[int]:
    """Open a file to inspect its pages; for reading and writing if that is allowed.

    For a file that the caller may not write, mincore(2) reports all pages as resident.

    Args:
        path: The file or device.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def size_in_bytes(descriptor: int) -> int:
    """Return the size of a file or block device in bytes."""
    information = os.fstat(descriptor)
    if stat.S_ISBLK(information.st_mode):
        return os.lseek(descriptor, 0, os.SEEK_END)
    return information.st_size


def _residency_of_file(descriptor: int) -> Residency | None:
    """Use cachestat(2), or mincore(2) if the kernel has no cachestat (before Linux 6.5)."""
    num_bytes = size_in_bytes(descriptor)
    pages = -(-num_bytes // PAGE_BYTES)
    if not pages:
        return Residency(0, 0, 0)
    for count in (_count_by_cachestat, _count_by_mincore):
        found = count(descriptor, num_bytes)
        if found is not None:
            return Residency(pages, min(pages, found[0]), found[1])
    return None


def _count_by_cachestat(descriptor: int, num_bytes: int) -> tuple[int, int | None] | None:
    byte_range = (ctypes.c_uint64 * 2)(0, num_bytes)
    counts = (ctypes.c_uint64 * 5)()  # cache, dirty, writeback, evicted, recently evicted
    if libc().syscall(_SYS_CACHESTAT, descriptor, byte_range, counts, 0):
        return None
    return int(counts[0]), int(counts[1] + counts[2])


def _count_by_mincore(descriptor: int, num_bytes: int) -> tuple[int, int | None] | None:
    information = os.fstat(descriptor)
    if os.geteuid() not in (0, information.st_uid) and not os.access(f"/proc/self/fd/{descriptor}", os.W_OK):
        return None  # mincore would report every page as resident
    functions = libc()
    functions.mmap.restype = ctypes.c_void_p
    functions.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    address = functions.mmap(None, num_bytes, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        return None
    try:
        vector = (ctypes.c_ubyte * -(-num_bytes // PAGE_BYTES))()
        length = ctypes.c_size_t(num_bytes)
        if functions.mincore(ctypes.c_void_p(address), length, vector):
            return None
        return sum(page & 1 for page in bytes(vector)), None
    finally:
        functions.munmap(ctypes.c_void_p(address), ctypes.c_size_t(num_bytes))


def flush(path: str) -> None:
    """Write to the device everything that is not there yet.

    For a folder, syncfs(2) writes its whole file system. For a file or block device, fsync(2) also flushes
    the device's own volatile cache if the kernel knows of one.

    Args:
        path: A folder, file or block device.

    Raises:
        OSError: Writing failed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)
        elif libc().syncfs(descriptor):
            number = ctypes.get_errno() or errno.EIO
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


def flush_all(paths: Sequence[str]) -> float:
    """Flush one path after another, and return the seconds that it took.

    Args:
        paths: Folders, files or block devices.

    Raises:
        BenchError: Flushing one of them failed.
    """
    start = time.perf_counter()
    for path in paths:
        try:
            flush(path)
        except OSError as error:
            raise BenchError(f"flushing {path} failed: {error.strerror}") from error
    return time.perf_counter() - start


def evict(path: str) -> None:
    """Flush a file and drop its pages from the page cache, without root.

    posix_fadvise(2) with POSIX_FADV_DONTNEED keeps pages that are dirty, mapped or locked.

    Args:
        path: A file or block device.

    Raises:
        OSError: Writing failed.
    """
    with open_for_inspection(path) as descriptor:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


@functools.cache
def libc() -> ctypes.CDLL:
    """Return the functions of the C library, which set ``ctypes.get_errno()``."""
    return ctypes.CDLL(None, use_errno=True)
