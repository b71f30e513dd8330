"""Ctrl-C and SIGTERM: the first signal stops the run without losing data, the second exits at once.

A KeyboardInterrupt can be raised between any two instructions, also while a record is written. While a
sweep runs, it is raised only inside :func:`interruptible`, which encloses each wait. Loops check
:func:`requested` between two steps.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType


class StopRequested(KeyboardInterrupt):
    """The user asked to stop.

    This must be a subclass. If a plain KeyboardInterrupt leaves an ``exec()`` (for example in the dataclass
    decorator), CPython marks it as unhandled and ends the process with SIGINT, even if it is caught later.
    """


@dataclass
class _State:
    """The state of this process. A signal handler belongs to the whole process."""

    requested: bool = False
    is_pending: bool = False
    is_deferred: bool = False


_STATE = _State()


@contextlib.contextmanager
def handled(leave: Callable[[], None]) -> Iterator[None]:
    """Handle SIGINT and SIGTERM in the block, and restore the previous handlers after it.

    Args:
        leave: Called at the second signal and at each later one.

    Raises:
        KeyboardInterrupt: The first signal arrived outside :func:`deferred`.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        if _STATE.requested:
            leave()
        _STATE.requested = True
        if not _STATE.is_deferred:
            raise StopRequested
        _STATE.is_pending = True

    _STATE.requested = _STATE.is_pending = _STATE.is_deferred = False
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # otherwise SIGINT is to be ignored
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """Ignore SIGINT and SIGTERM from now on. Call this when the exit code is final."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def requested() -> bool:
    """Whether the user asked to stop."""
    return _STATE.requested


def clear_pending() -> None:
    """Do not raise the interrupt that arrived inside :func:`deferred`. :func:`requested` stays true.

    Call this when the step that the interrupt should stop has ended on its own.
    """
    _STATE.is_pending = False


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Raise no KeyboardInterrupt in the block, except inside :func:`interruptible`."""
    before = _STATE.is_deferred
    _STATE.is_deferred = True
    try:
        yield
    finally:
        _STATE.is_deferred = before


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Allow a KeyboardInterrupt in the block, and raise it at the start if one is pending.

    Raises:
        KeyboardInterrupt: The user asked to stop, now or inside :func:`deferred` before.
    """
    before = _STATE.is_deferred
    _STATE.is_deferred = False
    try:
        if _STATE.is_pending:
            _STATE.is_pending = False
            raise StopRequested
        yield
    finally:
        _STATE.is_deferred = before
