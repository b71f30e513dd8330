"""The sweep that this process runs: what is kept of it from one batch of a search to the next."""

from __future__ import annotations

import atexit
import contextlib
import functools
import time

from l2sweep.config import SweepConfig
from l2sweep.errors import STOPPED, BenchError
from l2sweep.sweep.host_lock import host_lock
from l2sweep.sweep.isolation import ProcessStarter


class OngoingSweep:
    """Holds the host's lock and the fork server until the process ends, and what has become of it so far.

    Attributes:
        starter: Starts its processes.
        has_begun: Its folder and its manifest are there.
        can_be_resumed: Its points are known from the start.
        exit_code: 0 all measured until now, 1 something failed, 130 stopped.
    """

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        atexit.register(self._held.close)
        self._locked_at_s: float | None = None
        self.starter = self._held.enter_context(ProcessStarter("auto"))
        self.has_begun = False
        self.can_be_resumed = True
        self.exit_code = 0

    def lock(self, sweep: SweepConfig) -> None:
        """Take the host's lock, unless it is held already; the sweep's time begins.

        Args:
            sweep: How: its ``lock``.

        Raises:
            HostBusyError: Another sweep holds it.
        """
        if self._locked_at_s is None:
            self._held.enter_context(host_lock(sweep.lock, sweep.sweep_id))
            self._locked_at_s = time.monotonic()

    def is_over_budget(self, budget_minutes: float | None) -> bool:
        """Whether no further point is to be begun.

        Args:
            budget_minutes: Since the lock was taken; None: any time.
        """
        if budget_minutes is None or self._locked_at_s is None:
            return False
        return time.monotonic() - self._locked_at_s > budget_minutes * 60

    def note(self, exit_code: int) -> None:
        """Note how a point ended; one that LMCache refuses is one that failed, once a sweep runs."""
        if exit_code:
            self.exit_code = STOPPED if STOPPED in (exit_code, self.exit_code) else BenchError.exit_code


@functools.cache
def this_sweep() -> OngoingSweep:
    """Return the one sweep of this process."""
    return OngoingSweep()
