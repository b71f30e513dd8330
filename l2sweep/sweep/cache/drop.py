"""Methods that drop a page cache, from the strongest to the weakest."""

from __future__ import annotations

import functools
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from l2sweep.bench.page_cache import data_files, evict
from l2sweep.config.cache import CacheConfig
from l2sweep.credentials import scrub, secrets_in_text
from l2sweep.errors import BenchError

_DROP_CACHES = Path("/proc/sys/vm/drop_caches")
_PAGES_AND_METADATA = "3"  # 1: pages; 2: dentries and inodes, which a lookup of files reads
# Generous: sync(2) waits until every dirty page of the machine is written.
_HELPER_TIMEOUT_S = 300.0
_COMMAND_VARIABLE = "L2SWEEP_CACHE_COMMAND"


class CacheDrop(ABC):
    """A method to drop the page cache.

    Attributes:
        name: Value of ``cache.method`` that selects it.
        drops_metadata: Whether it also drops names and inodes, which a lookup of files reads.
    """

    name: str
    drops_metadata = True

    @abstractmethod
    def why_unusable(self) -> str:
        """Test the method on this machine, and return why it does not work; empty if it works."""

    @abstractmethod
    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Write dirty pages to the device and drop the page cache.

        Args:
            paths: Folders, files or devices where the adapter keeps its data.
            namespace: Namespace of the point's keys.

        Raises:
            BenchError: The page cache could not be dropped.
        """


class DropCaches(CacheDrop):
    """Write to ``/proc/sys/vm/drop_caches``, which needs root: proc_sys_vm(5)."""

    name = "drop_caches"

    def why_unusable(self) -> str:
        """Open the file for writing, but write nothing."""
        try:
            with _DROP_CACHES.open("w"):
                return ""
        except OSError as error:
            return f"{_DROP_CACHES}: {error.strerror}"

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Sync first, because the kernel does not drop dirty pages."""
        os.sync()
        try:
            _DROP_CACHES.write_text(_PAGES_AND_METADATA)
        except OSError as error:
            raise BenchError(f"cache.method=drop_caches: {_DROP_CACHES}: {error.strerror}") from error


class Helper(CacheDrop):
    """Run a helper as root through sudo, without a password. It does the same as :class:`DropCaches`.

    Args:
        helper: Path of the helper.
    """

    name = "helper"

    def __init__(self, helper: str) -> None:
        self._command = ["sudo", "-n", helper]

    def why_unusable(self) -> str:
        """Run the helper: dropping the page cache is harmless."""
        return _why_failed(self._command, _HELPER_TIMEOUT_S)

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Run the helper, which syncs first."""
        if problem := _why_failed(self._command, _HELPER_TIMEOUT_S):
            raise BenchError(f"cache.method=helper: {problem}")


class Fadvise(CacheDrop):
    """Drop each file of the point with posix_fadvise(2), without root. Names and inodes stay in memory."""

    name = "fadvise"
    drops_metadata = False

    def why_unusable(self) -> str:
        """Check that the system has the call."""
        return "" if hasattr(os, "posix_fadvise") else "this system has no posix_fadvise"

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Flush each file and drop its pages."""
        for path in data_files(paths, namespace):
            try:
                evict(path)
            except OSError as error:
                raise BenchError(f"cache.method=fadvise: {path}: {error.strerror}") from error


class Command(CacheDrop):
    """Run a shell command of the user, for a cache on another machine such as a storage server.

    Args:
        command: The shell command.
        timeout_s: Seconds that it may take.
    """

    name = "command"
    drops_metadata = False  # what the command drops elsewhere cannot be observed from this machine

    def __init__(self, command: str, timeout_s: float) -> None:
        self._command = command
        self._timeout_s = timeout_s

    def why_unusable(self) -> str:
        """Run the command, exactly as between two phases."""
        return self._run()

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Sync the file systems of this machine, then run the command."""
        os.sync()
        if problem := self._run():
            raise BenchError(f"cache.command: {problem}")

    def _run(self) -> str:
        # Every user can read the arguments of a shell, but not its environment.
        command = ["/bin/sh", "-c", f'eval "${_COMMAND_VARIABLE}"']
        environment = {**os.environ, _COMMAND_VARIABLE: self._command}
        problem = _why_failed(command, self._timeout_s, self._command, environment)
        return scrub(problem, secrets_in_text(self._command))


class NoDrop(CacheDrop):
    """Drop nothing, for data that are cold without it, for example with O_DIRECT."""

    name = "none"
    drops_metadata = False

    def why_unusable(self) -> str:
        """Return an empty text: it always works."""
        return ""

    def drop(self, paths: Sequence[str], namespace: str) -> None:
        """Do nothing."""


def choose_drop(cache: CacheConfig, *, is_local: bool) -> CacheDrop:
    """Return the method that ``cache.method`` selects.

    Args:
        cache: The cache options of the point.
        is_local: Whether the adapter keeps its data on this machine, where a page cache can be dropped.
    """
    if cache.method == "auto":
        return _strongest(cache.helper) if is_local else NoDrop()
    methods = {
        "drop_caches": DropCaches,
        "helper": lambda: Helper(cache.helper),
        "fadvise": Fadvise,
        "command": lambda: Command(str(cache.command), cache.command_timeout_s),
        "none": NoDrop,
    }
    return methods[cache.method]()


@functools.cache
def _strongest(helper: str) -> CacheDrop:
    """Return the first method that works on this machine; each is tested once in a process."""
    methods: list[CacheDrop] = [DropCaches(), Helper(helper), Fadvise(), NoDrop()]
    return next(method for method in methods if not method.why_unusable())


def _why_failed(
    command: Sequence[str], timeout_s: float, name: str = "", environment: Mapping[str, str] | None = None
) -> str:
    """Run a command and return why it failed; empty if its exit code is 0."""
    name = name or command[-1]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=environment,
        )
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{name!r} took more than {timeout_s:g} s"
    if done.returncode == 0:
        return ""
    lines = (done.stderr or done.stdout).strip().splitlines()
    return f"{name!r} ended with exit code {done.returncode}{': ' + lines[-1] if lines else ''}"
