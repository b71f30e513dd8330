"""Ways to empty a page cache, from the strongest to the weakest."""

from __future__ import annotations

import functools
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from l2sweep.bench.page_cache import data_files, forget
from l2sweep.config.cache import CacheConfig
from l2sweep.errors import BenchError

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")
_ALL = "3"  # pages, and the dentries and inodes that a lookup of files reads
_HELPER_TIMEOUT_S = 300.0


class CacheDrop(ABC):
    """One way."""

    name: str
    drops_metadata = True

    @abstractmethod
    def unusable_because(self) -> str:
        """Try it out and say why it cannot be used here; an empty text where it can."""

    @abstractmethod
    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Write what is dirty and empty the cache.

        Args:
            paths: Where the adapter keeps its data.
            namespace: The point's.

        Raises:
            BenchError: It did not work.
        """


class DropCaches(CacheDrop):
    """The kernel's own switch, for root: proc_sys_vm(5), ``drop_caches``."""

    name = "drop_caches"

    def unusable_because(self) -> str:
        """Write nothing, and see whether one could."""
        try:
            with _DROP_CACHES.open("w"):
                return ""
        except OSError as error:
            return f"{_DROP_CACHES}: {error.strerror}"

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Sync, since dirty pages are not dropped, then drop."""
        os.sync()
        try:
            _DROP_CACHES.write_text(_ALL)
        except OSError as error:
            raise BenchError(f"cache.method=drop_caches: {_DROP_CACHES}: {error.strerror}") from error


class Helper(CacheDrop):
    """The same through sudo, which may run one helper without a password.

    Args:
        helper: Its path.
    """

    name = "helper"

    def __init__(self, helper: str) -> None:
        self._command = ["sudo", "-n", helper]

    def unusable_because(self) -> str:
        """Run it: it does no harm."""
        return _why_failed(self._command, _HELPER_TIMEOUT_S)

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Run it."""
        if problem := _why_failed(self._command, _HELPER_TIMEOUT_S):
            raise BenchError(f"cache.method=helper: {problem}")


class Fadvise(CacheDrop):
    """Each of the point's files on its own, without root; names and inodes stay in memory."""

    name = "fadvise"
    drops_metadata = False

    def unusable_because(self) -> str:
        """Any system that has the call can do it."""
        return "" if hasattr(os, "posix_fadvise") else "this system has no posix_fadvise"

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Flush and forget each file."""
        for path in data_files(paths, namespace):
            try:
                forget(path)
            except OSError as error:
                raise BenchError(f"cache.method=fadvise: {path}: {error.strerror}") from error


class Command(CacheDrop):
    """A command of the user's, for a cache that is elsewhere: of a storage server, say.

    Args:
        command: For a shell.
        timeout_s: Seconds that it may take.
    """

    name = "command"
    drops_metadata = False  # of what is here, and what it drops elsewhere nobody can see

    def __init__(self, command: str, timeout_s: float) -> None:
        self._command = ["/bin/sh", "-c", command]
        self._timeout_s = timeout_s

    def unusable_because(self) -> str:
        """Run it, as it will be run between the operations."""
        return _why_failed(self._command, self._timeout_s)

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Flush what is dirty here, then run it."""
        os.sync()
        if problem := _why_failed(self._command, self._timeout_s):
            raise BenchError(f"cache.command: {problem}")


class NoDrop(CacheDrop):
    """Nothing: what is cold all the same, by O_DIRECT say, must show it."""

    name = "none"
    drops_metadata = False

    def unusable_because(self) -> str:
        """It can always be done."""
        return ""

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Do nothing."""


def choose_drop(cache: CacheConfig, *, is_local: bool) -> CacheDrop:
    """Return the way that a point's cache is dropped.

    Args:
        cache: What was asked for.
        is_local: Whether the adapter's data are on this machine, where a page cache can be dropped.
    """
    if cache.method == "auto":
        return _strongest(cache.helper) if is_local else NoDrop()
    ways = {
        "drop_caches": DropCaches,
        "helper": lambda: Helper(cache.helper),
        "fadvise": Fadvise,
        "command": lambda: Command(str(cache.command), cache.command_timeout_s),
        "none": NoDrop,
    }
    return ways[cache.method]()


@functools.cache
def _strongest(helper: str) -> CacheDrop:
    """Return the first way that works here, tried out once in a process."""
    ways: list[CacheDrop] = [DropCaches(), Helper(helper), Fadvise(), NoDrop()]
    return next(way for way in ways if not way.unusable_because())


def _why_failed(command: Sequence[str], timeout_s: float) -> str:
    """Run a command and return why it failed; an empty text where it did not."""
    name = command[-1]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{name!r} took more than {timeout_s:.0f} s"
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()
    return f"{name!r} ended with exit code {done.returncode}{': ' + said[-1] if said else ''}"
