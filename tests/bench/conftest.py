"""Fixtures for the tests of l2sweep.bench: LMCache's real adapters, in the process of the tests."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from l2sweep.bench.adapter.lmcache_log import LogWatch, quiet_environment

os.environ.update(quiet_environment("WARNING"))  # LMCache reads these when it is imported


@pytest.fixture
def log() -> Iterator[LogWatch]:
    """Watch LMCache's log until the end of the test."""
    factory, hook = logging.getLogRecordFactory(), threading.excepthook
    yield LogWatch()
    logging.setLogRecordFactory(factory)
    threading.excepthook = hook


@pytest.fixture
def open_adapter() -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Create adapters, and close them at the end of the test."""
    import small_job

    opened = []

    def open_one(spec: dict[str, Any]) -> Any:
        opened.append(small_job.open_adapter(spec))
        return opened[-1]

    yield open_one
    for adapter in opened:
        adapter.close()
