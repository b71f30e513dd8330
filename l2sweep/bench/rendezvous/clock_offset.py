"""The offset between the clocks of two hosts, by Cristian's algorithm, over the store of the clients.

Source: F. Cristian, Probabilistic clock synchronization, Distributed Computing 3 (1989). The answer left the
other host at some moment within the round trip. Its middle is the estimate, so that the error is at most half
of the round trip. Of several round trips the shortest one has the least error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.distributed import Store

_ROUND_TRIPS = 8

NameKey = Callable[[int, str], str]
"""Returns the name of the key of a round trip: its number, and ``ask`` or ``answer``."""


@dataclass(frozen=True)
class ClockOffset:
    """How the clock of a host differs from that of the host of client 0.

    Attributes:
        offset_s: What to add to the time of this host, in seconds.
        error_s: Largest error of the offset, in seconds, when it was estimated. Clocks drift afterwards.
    """

    offset_s: float
    error_s: float


SAME_CLOCK = ClockOffset(0.0, 0.0)


def ask_clock(
    store: Store, key: NameKey, limit_s: float, now: Callable[[], float] = time.time
) -> ClockOffset:
    """Return the offset of this host's clock.

    Args:
        store: The store of the clients.
        key: Names the keys of this comparison.
        limit_s: How long to wait for an answer, in seconds.
        now: The clock of this host: seconds since the epoch.

    Raises:
        RuntimeError: No answer arrived in time, or the store cannot be reached.
    """
    found: list[ClockOffset] = []
    for number in range(_ROUND_TRIPS):
        answered = key(number, "answer")
        asked_s, start_s = now(), time.perf_counter()
        store.set(key(number, "ask"), "")
        store.wait([answered], timedelta(seconds=limit_s))
        half_s = (time.perf_counter() - start_s) / 2  # to read the answer takes further round trips
        there_s = float(store.get(answered))
        found.append(ClockOffset(there_s - (asked_s + half_s), half_s))
        store.delete_key(answered)
    return min(found, key=lambda one: one.error_s)


def answer_clocks(store: Store, key: NameKey, limit_s: float, now: Callable[[], float] = time.time) -> None:
    """Answer the questions of one client.

    Args:
        store: The store of the clients.
        key: Names the keys of this comparison.
        limit_s: How long to wait for a question, in seconds.
        now: The clock of this host: seconds since the epoch.

    Raises:
        RuntimeError: A question did not arrive in time, or the store cannot be reached.
    """
    for number in range(_ROUND_TRIPS):
        asked = key(number, "ask")
        store.wait([asked], timedelta(seconds=limit_s))
        store.set(key(number, "answer"), repr(now()))
        store.delete_key(asked)
