"""A timer whose file descriptor becomes readable at a given moment."""

from __future__ import annotations

import ctypes
import math
import os

# <sys/timerfd.h> and <time.h>: the same on all architectures of Linux that PyTorch supports.
_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK = os.O_NONBLOCK
_TFD_CLOEXEC = os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
_NS = 1_000_000_000


class _Timespec(ctypes.Structure):
    """``struct timespec`` of time(7)."""

    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    """``struct itimerspec`` of timerfd_settime(2)."""

    _fields_ = (("it_interval", _Timespec), ("it_value", _Timespec))


# Unlike CDLL, PyDLL keeps the interpreter lock: no other thread runs between an arrival and its timer.
_libc = ctypes.PyDLL(None, use_errno=True)


class Timer:
    """A timerfd (timerfd_create(2)). The kernel makes it readable, so no late thread delays the moment.

    It is read and waited for like an eventfd. Times are those of ``time.perf_counter()``, which is
    ``CLOCK_MONOTONIC`` on Linux.

    Raises:
        OSError: The kernel has no descriptor left.
    """

    def __init__(self) -> None:
        self._descriptor = int(_libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC))
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._spec = _Itimerspec()
        self._arguments = (self._descriptor, _TFD_TIMER_ABSTIME, ctypes.byref(self._spec), None)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def set(self, at_s: float | None, every_s: float = 0.0) -> None:
        """Make the descriptor readable from a moment on, and not before. A moment in the past is now.

        Args:
            at_s: The moment; None: never.
            every_s: Seconds after which it becomes readable again, each time; 0: once.
        """
        value, interval = self._spec.it_value, self._spec.it_interval
        value.tv_sec, value.tv_nsec = divmod(0 if at_s is None else math.ceil(at_s * _NS), _NS)
        interval.tv_sec, interval.tv_nsec = divmod(round(every_s * _NS), _NS)
        _libc.timerfd_settime(*self._arguments)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)
