"""Waiting for many connections."""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from l2sweep.cluster.line.readable import readable

ABOVE_SELECT = 1100  # select(2) knows descriptors up to 1,023


@dataclass(frozen=True)
class Source:
    descriptor: int

    def fileno(self) -> int:
        return self.descriptor


@contextmanager
def pipe(lowest: int = 0) -> Iterator[tuple[Source, int]]:
    """Make a pipe whose readable end has a descriptor that is not below a number."""
    ends = os.pipe()
    try:
        descriptor = fcntl.fcntl(ends[0], fcntl.F_DUPFD_CLOEXEC, lowest)
        yield Source(descriptor), ends[1]
        os.close(descriptor)
    finally:
        for end in ends:
            os.close(end)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 2 * ABOVE_SELECT), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_those_with_something_to_read_are_returned() -> None:
    with ExitStack() as held:
        pipes = [held.enter_context(pipe()) for _ in range(3)]
        sources = [source for source, _ in pipes]
        assert readable(sources, 0) == set()
        for number in (0, 2):
            os.write(pipes[number][1], b"x")
        assert readable(sources, 60) == {sources[0], sources[2]}


def test_a_descriptor_may_be_larger_than_select_knows(many_descriptors: None) -> None:
    with pipe(ABOVE_SELECT) as (source, end):
        os.write(end, b"x")
        assert readable([source], 60) == {source}
