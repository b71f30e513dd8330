"""Ctrl-C, SIGTERM and SIGHUP: how a run is stopped without losing data.

The first signal stops the running point: its rows are written and its keys are removed. The second one skips
what takes long: the benchmark process is killed at once, and its keys are left to the next run. The third one
ends this process at once. Before a sweep has begun there is nothing to save, and the first signal ends the
process.

A KeyboardInterrupt can be raised between any two instructions, also while a record is written or a module is
imported. It is therefore raised only inside :func:`interruptible`, which encloses each wait of a sweep. Loops
check :func:`requested` between two steps.

Only small modules are imported here: a signal that arrives before :func:`handled` prints a traceback.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

from l2sweep.errors import STOPPED

_HURRIED = 2
_HURRY_LINE = b"l2sweep: stopping at once: the next run removes the keys of the running point\n"
_LEAVE_LINE = b"l2sweep: stopped by the user\n"
_SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it; source: DECTCEM, console_codes(4)


class StopRequested(KeyboardInterrupt):
    """The user asked to stop.

    This must be a subclass. If a plain KeyboardInterrupt leaves an ``exec()`` (for example in the dataclass
    decorator), CPython marks it as unhandled and ends the process with SIGINT, even if it is caught later.
    """


class _State:
    """The state of this process. A signal handler belongs to the whole process.

    Attributes:
        count: Signals since :func:`handled` began.
        is_pending: Whether a signal has arrived that was not raised.
        is_deferred: Whether a sweep has begun.
        is_waiting: Whether the sweep waits for something that a signal may end.
        ends_when_hurried: Whether only the second signal ends a wait.
    """

    def __init__(self) -> None:
        self.count = 0
        self.is_pending = self.is_deferred = self.is_waiting = False
        self.ends_when_hurried = False


_STATE = _State()


def _receive(leave: Callable[[], None]) -> None:
    _STATE.count += 1
    if not _STATE.is_deferred or _STATE.count > _HURRIED:
        leave()
    _STATE.is_pending = True
    if _STATE.count == _HURRIED:
        _write(_HURRY_LINE)
    if _STATE.is_waiting:
        _raise_pending()


def _raise_pending() -> None:
    if _STATE.is_pending and (hurried() or not _STATE.ends_when_hurried):
        _STATE.is_pending = False
        raise StopRequested


class handled:  # noqa: N801 - used like a function: a context manager that needs no heavy import
    """Handle SIGINT, SIGTERM and SIGHUP in the block, and restore the previous handlers after it.

    What :func:`ignore` set stays: the interpreter still has to end, and the default would kill it.

    A signal that is ignored, as SIGINT in a background job or SIGHUP under nohup(1), stays ignored.

    Args:
        leave: Ends the process; None: with one line and the exit code 130.
    """

    def __init__(self, leave: Callable[[], None] | None = None) -> None:
        self._leave = leave or leave_at_once
        self._before: dict[int, object] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        _receive(self._leave)

    def __enter__(self) -> None:
        """Begin with no signal received."""
        global _STATE
        _STATE = _State()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            before = signal.getsignal(number)
            is_ours = isinstance(getattr(before, "__self__", None), handled)
            if is_ours or number == signal.SIGTERM or before in (signal.SIG_DFL, signal.default_int_handler):
                self._before[number] = before
                signal.signal(number, self._handle)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the previous handlers."""
        for number, before in self._before.items():
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, before)  # type: ignore[arg-type]


def leave_at_once() -> None:
    """End this process with one line and the exit code 130. The kernel ends its benchmark processes."""
    if _STATE.is_deferred and os.isatty(1):
        _write(_SHOW_CURSOR, 1)
    _write(_LEAVE_LINE)
    os._exit(STOPPED)


def _write(line: bytes, descriptor: int = 2) -> None:
    """Write in a signal handler, where the streams of Python may be in use."""
    with contextlib.suppress(OSError):
        os.write(descriptor, line)


def ignore() -> None:
    """Ignore the signals from now on. Call this when the exit code is final."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def requested() -> bool:
    """Whether the user asked to stop."""
    return _STATE.count > 0


def hurried() -> bool:
    """Whether the user asked twice: then nothing that takes long is begun."""
    return _STATE.count >= _HURRIED


def clear_pending() -> None:
    """Do not raise the interrupt that arrived inside :func:`deferred`. :func:`requested` stays true.

    Call this when the step that the interrupt should stop has ended on its own.
    """
    _STATE.is_pending = False


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Remember a signal in the block instead of ending the process. :func:`interruptible` raises it."""
    before = _STATE.is_deferred, _STATE.is_waiting
    _STATE.is_deferred, _STATE.is_waiting = True, False
    try:
        yield
    finally:
        _STATE.is_deferred, _STATE.is_waiting = before


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise an interrupt in the block, and at its start if one is pending.

    Raises:
        KeyboardInterrupt: The user asked to stop, now or inside :func:`deferred` before.
    """
    before = _STATE.is_waiting
    _STATE.is_waiting = _STATE.is_deferred  # otherwise a signal ends the process
    try:
        _raise_pending()
        yield
    finally:
        _STATE.is_waiting = before


@contextlib.contextmanager
def only_when_hurried() -> Iterator[None]:
    """Let only the second signal end the waits in the block: it does what the first one asked for."""
    before = _STATE.ends_when_hurried
    _STATE.ends_when_hurried = True
    try:
        yield
    finally:
        _STATE.ends_when_hurried = before
