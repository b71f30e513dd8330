"""Ctrl-C and SIGTERM: the first stops what runs and loses nothing, the second leaves at once.

A KeyboardInterrupt between any two instructions would lose what is just being kept. While a sweep runs,
one is raised only where :func:`interruptible` says that there is something to wait for; whoever goes from
one thing to the next asks :func:`requested`.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType


class StopRequested(KeyboardInterrupt):
    """The user asked to stop.

    Of a plain KeyboardInterrupt that leaves an ``exec()``, as of a dataclass being made, CPython remembers
    that it was not handled, and ends by SIGINT whatever becomes of it.
    """


@dataclass
class _State:
    """Of this process: signals are the whole process's."""

    requested: bool = False
    is_pending: bool = False
    is_deferred: bool = False


_STATE = _State()


@contextlib.contextmanager
def handled(leave: Callable[[], None]) -> Iterator[None]:
    """Handle SIGINT and SIGTERM inside; outside they do what they did before.

    Args:
        leave: Called for the second signal.

    Raises:
        KeyboardInterrupt: The first signal came, and nothing defers it.
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
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is to be ignored
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore() -> None:
    """Ignore SIGINT and SIGTERM from now on: the work is done, and the exit code is known."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def requested() -> bool:
    """Whether the user asked to stop."""
    return _STATE.requested


def take_as_heard() -> None:
    """Raise nowhere what came until now: the running thing has ended, and :func:`requested` ends the rest."""
    _STATE.is_pending = False


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Raise no KeyboardInterrupt inside, but for where it is waited."""
    before = _STATE.is_deferred
    _STATE.is_deferred = True
    try:
        yield
    finally:
        _STATE.is_deferred = before


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise a KeyboardInterrupt inside, and at once where it came since the last such place.

    Raises:
        KeyboardInterrupt: The user asked to stop.
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
