"""The releases of LMCache and torch. Each is read once; the fork server reads them before it forks."""

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
