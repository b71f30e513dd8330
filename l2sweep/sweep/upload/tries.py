"""Try again what a store did not do: with longer and longer pauses, and for a bounded time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from l2sweep.interrupts import interruptible, requested
from l2sweep.records.store.object_store import StoreError

Result = TypeVar("Result")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 30.0


def pause_s(failures: int) -> float:
    """Return how long to wait after some failures: twice as long after each, and by chance a half less.

    Chance keeps many clients from coming back at the same moment. Source: M. Brooker, "Exponential Backoff
    And Jitter", AWS Architecture Blog, 2015, there as "equal jitter".

    Args:
        failures: Number of failures in a row, from 1.

    Returns:
        Seconds.
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 20))
    return longest * random.uniform(0.5, 1.0)


def tried(call: Callable[[], Result], for_s: float) -> Result:
    """Call a function until the store is not away.

    Args:
        call: The function.
        for_s: Seconds after which no further try begins. One try takes some seconds at most.

    Returns:
        What the function returned.

    Raises:
        StoreError: The last one, or one that another try would not change.
        KeyboardInterrupt: The user asked to stop while it waited.
    """
    until = time.monotonic() + for_s
    failures = 0
    while True:
        try:
            return call()
        except StoreError as error:
            failures += 1
            pause = pause_s(failures)
            if not error.is_away or requested() or time.monotonic() + pause > until:
                raise
        with interruptible():
            time.sleep(pause)
