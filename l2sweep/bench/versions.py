"""Which LMCache and torch are measured: read once a process, and before a fork for all that follow it."""

from __future__ import annotations

import functools
from importlib.metadata import version


@functools.cache
def lmcache_version() -> str:
    """Return the release of LMCache."""
    return version("lmcache")


@functools.cache
def torch_version() -> str:
    """Return the release of torch."""
    return version("torch")


def lmcache_release() -> tuple[int, ...]:
    """Return the release of LMCache as three numbers, to compare with."""
    numbers = lmcache_version().split(".")[:3]
    return tuple(int("".join(filter(str.isdigit, number)) or 0) for number in numbers)
