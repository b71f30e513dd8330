"""What lasts from the first point of a sweep to its last: the host's lock, the fork server, the exit code."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from l2sweep.config.point import SweepConfig
from l2sweep.errors import STOPPED, BenchError
from l2sweep.interrupts import deferred
from l2sweep.process.starter import ProcessStarter
from l2sweep.sweep.host_lock import host_lock
from l2sweep.sweep.manifest import Manifest

if TYPE_CHECKING:
    from l2sweep.sweep.terminal.views import SweepView


class SweepSession:
    """The sweep that this process runs.

    A grid is prepared and run once. A search prepares and runs one trial after another in one session.

    Attributes:
        starter: Starts the benchmark processes.
        new_sweep_id: The id of a sweep that is given none: date and time (UTC) and four random digits.
        manifest: The sweep's request and plan; None until they are saved.
        view: Shows the sweep; None until the first point is planned.
        exit_code: 0 everything was measured so far, 1 something failed, 130 stopped.
    """

    def __init__(self, starter: ProcessStarter | None = None) -> None:
        self._held = contextlib.ExitStack()
        self._locked_at_s: float | None = None
        self._is_own_starter = starter is None
        self.starter = ProcessStarter("auto") if starter is None else starter
        self.new_sweep_id = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
        self.manifest: Manifest | None = None
        self.view: SweepView | None = None
        self.exit_code = 0

    def __enter__(self) -> SweepSession:
        """Start the session; nothing is locked or started before it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the fork server and release the lock."""
        if self._is_own_starter:
            self.starter.close()
        self._held.close()

    def lock(self, sweep: SweepConfig) -> None:
        """Take the host's lock, unless this session holds it; the sweep's time budget starts.

        Args:
            sweep: Its ``lock`` says what another holder means.

        Raises:
            HostBusyError: Another sweep holds the lock.
        """
        if self._locked_at_s is None:
            self._held.enter_context(host_lock(sweep.lock, sweep.sweep_id))
            self._locked_at_s = time.monotonic()

    def is_over_budget(self, budget_minutes: float | None) -> bool:
        """Whether no further point may start.

        Args:
            budget_minutes: Minutes since the lock was taken; None: no limit.
        """
        if budget_minutes is None or self._locked_at_s is None:
            return False
        return time.monotonic() - self._locked_at_s > budget_minutes * 60

    def note(self, exit_code: int) -> None:
        """Record how a point ended; in a running sweep a refused spec is a failed point."""
        if exit_code:
            self.exit_code = STOPPED if STOPPED in (exit_code, self.exit_code) else BenchError.exit_code

    def finish(self) -> None:
        """Show the result of the whole sweep."""
        if self.view is not None:
            with deferred():
                self.view.finished()


_current: SweepSession | None = None


@contextlib.contextmanager
def open_session(starter: ProcessStarter | None = None) -> Iterator[SweepSession]:
    """Open the session of this process, which Hydra's plugins find by :func:`current_session`.

    Args:
        starter: Starts the benchmark processes and outlives the session; None: one of its own.
    """
    global _current
    with SweepSession(starter) as session:
        _current = session
        try:
            yield session
        finally:
            _current = None


def current_session() -> SweepSession:
    """Return the open session.

    Raises:
        RuntimeError: None is open.
    """
    if _current is None:
        raise RuntimeError("no session is open: run l2sweep by its command line")
    return _current
