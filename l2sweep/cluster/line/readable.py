"""Wait until something can be read from one of many connections."""

from __future__ import annotations

import selectors
from collections.abc import Iterable
from typing import Protocol, TypeVar


class HasDescriptor(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Return the descriptor."""


Source = TypeVar("Source", bound=HasDescriptor)


def readable(sources: Iterable[Source], limit_s: float) -> set[Source]:
    """Wait for the first of many sources, and return those that can be read.

    It uses poll(2): select(2) knows no descriptor above 1,023, and a launcher has one for each host.

    Args:
        sources: The sources.
        limit_s: How long to wait, in seconds; 0: not at all.
    """
    by_descriptor = {source.fileno(): source for source in sources}
    with selectors.PollSelector() as selector:
        for descriptor in by_descriptor:
            selector.register(descriptor, selectors.EVENT_READ)
        return {by_descriptor[key.fd] for key, _ in selector.select(limit_s)}
