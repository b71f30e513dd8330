"""How much of a point's data the page cache holds, as the kernel tells it.

Used by the process that measures, just before its first round, and by the launcher around a drop.
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

_SYS_CACHESTAT = 451  # the same number on every architecture
_PAGE_BYTES = mmap.PAGESIZE


@dataclass(frozen=True)
class Residency:
    """Pages of files in the page cache.

    Attributes:
        pages: All pages of the files.
        resident_pages: Of them, those in the page cache.
        dirty_pages: Of those, the ones that are not on the device yet; None where the kernel does not tell.
    """

    pages: int
    resident_pages: int
    dirty_pages: int | None

    @property
    def resident_share(self) -> float:
        """Resident pages over all pages, 0 to 1."""
        return self.resident_pages / self.pages if self.pages else 0.0

    @property
    def dirty_share(self) -> float | None:
        """Dirty pages over all pages, 0 to 1."""
        return None if self.dirty_pages is None else self.dirty_pages / max(1, self.pages)


def residency(paths: Sequence[str], namespace: str) -> Residency | None:
    """Return how much of a point's data is in the page cache, or None where the kernel does not tell.

    Args:
        paths: Folders, files and block devices that the adapter keeps its data in.
        namespace: The point's; files whose names hold it are the point's own.
    """
    totals = [0, 0, 0]
    dirty_known = True
    for path in data_files(paths, namespace):
        try:
            with open_to_look(path) as descriptor:
                found = _of_file(descriptor)
        except FileNotFoundError:
            continue  # deleted between the listing and the look
        except OSError:
            return None
        if found is None:
            return None
        totals[0] += found.pages
        totals[1] += found.resident_pages
        totals[2] += found.dirty_pages or 0
        dirty_known = dirty_known and found.dirty_pages is not None
    return Residency(totals[0], totals[1], totals[2] if dirty_known else None)


def resident_share(paths: Sequence[str], namespace: str) -> float | None:
    """Return the share of a point's pages that are in the page cache, 0 to 1.

    None where there is nothing to look at, or the kernel does not tell.

    Args:
        paths: As for :func:`residency`.
        namespace: The point's.
    """
    found = residency(paths, namespace) if paths else None
    return None if found is None else found.resident_share


def require_cold(phase: str, share: float | None, max_resident: float | None) -> None:
    """See that an operation that is to be cold is.

    Args:
        phase: store, which is never to be, lookup or load.
        share: Of its pages that are in the page cache; None: it is not known.
        max_resident: The most that is allowed; None: any.

    Raises:
        BenchError: It is not: it is not to be measured.
    """
    if phase != "store" and share is not None and max_resident is not None and share > max_resident:
        raise BenchError(
            f"{phase}: not run, since {share:.1%} of its pages are in the page cache "
            f"(cache.max_resident={max_resident})"
        )


def name_in_files(namespace: str) -> str:
    """Return a namespace as it stands in the names of files, as LMCache's fs adapter writes it."""
    return namespace.replace("/", "-SEP-")


def data_files(paths: Sequence[str], namespace: str) -> list[str]:
    """Return the files and devices that hold a point's data.

    Those whose names hold its namespace, as LMCache's file adapters name them; where there are none, all.

    Args:
        paths: Folders, files and block devices.
        namespace: The point's.
    """
    own_name = name_in_files(namespace)
    own: list[str] = []
    every: list[str] = []
    for path in paths:
        if not Path(path).is_dir():
            own += [path] if Path(path).exists() else []
            continue
        for folder, _, names in os.walk(path):
            every += [f"{folder}/{name}" for name in names]
    mine = [path for path in every if own_name in path.rpartition("/")[2]]
    return own + (mine or every)


@contextlib.contextmanager
def open_to_look(path: str) -> Iterator[int]:
    """Open a file for looking at its pages, for writing where that is allowed.

    The kernel says of files that one may not write that all their pages are resident: mincore(2).

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


def size_of(descriptor: int) -> int:
    """Return the bytes of a file or block device."""
    information = os.fstat(descriptor)
    if stat.S_ISBLK(information.st_mode):
        return os.lseek(descriptor, 0, os.SEEK_END)
    return information.st_size


def _of_file(descriptor: int) -> Residency | None:
    """Ask cachestat(2), or mincore(2) where the kernel has no cachestat (before Linux 6.5)."""
    num_bytes = size_of(descriptor)
    pages = -(-num_bytes // _PAGE_BYTES)
    if not pages:
        return Residency(0, 0, 0)
    for ask in (_by_cachestat, _by_mincore):
        found = ask(descriptor, num_bytes)
        if found is not None:
            return Residency(pages, min(pages, found[0]), found[1])
    return None


def _by_cachestat(descriptor: int, num_bytes: int) -> tuple[int, int | None] | None:
    byte_range = (ctypes.c_uint64 * 2)(0, num_bytes)
    counts = (ctypes.c_uint64 * 5)()  # cache, dirty, writeback, evicted, recently evicted
    if _libc().syscall(_SYS_CACHESTAT, descriptor, byte_range, counts, 0):
        return None
    return int(counts[0]), int(counts[1] + counts[2])


def _by_mincore(descriptor: int, num_bytes: int) -> tuple[int, int | None] | None:
    information = os.fstat(descriptor)
    if os.geteuid() not in (0, information.st_uid) and not os.access(f"/proc/self/fd/{descriptor}", os.W_OK):
        return None  # it would say that all is resident
    libc = _libc()
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    address = libc.mmap(None, num_bytes, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        return None
    try:
        vector = (ctypes.c_ubyte * -(-num_bytes // _PAGE_BYTES))()
        length = ctypes.c_size_t(num_bytes)
        if libc.mincore(ctypes.c_void_p(address), length, vector):
            return None
        return sum(page & 1 for page in bytes(vector)), None
    finally:
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(num_bytes))


def flush(path: str) -> None:
    """Have everything that is not on the device yet written there.

    A folder's whole file system by syncfs(2); a file or block device by fsync(2), which also empties the
    device's own volatile cache where the kernel knows of one.

    Args:
        path: A folder, file or block device.

    Raises:
        OSError: It could not be written.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)
        elif _libc().syncfs(descriptor):
            number = ctypes.get_errno() or errno.EIO
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


def flush_all(paths: Sequence[str]) -> float:
    """Flush one path after another and return the seconds that it took.

    Args:
        paths: As for :func:`flush`.

    Raises:
        BenchError: One of them could not be written.
    """
    start = time.perf_counter()
    for path in paths:
        try:
            flush(path)
        except OSError as error:
            raise BenchError(f"flushing {path} failed: {error.strerror}") from error
    return time.perf_counter() - start


def forget(path: str) -> None:
    """Write a file's dirty pages and drop its pages from the page cache: no root is needed.

    posix_fadvise(2), POSIX_FADV_DONTNEED: pages that are dirty, mapped or locked stay.

    Args:
        path: A file or block device.

    Raises:
        OSError: It could not be written.
    """
    with open_to_look(path) as descriptor:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
