"""The event descriptor with which an adapter signals completions: wait for it, or look at it and go on."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Callable
from functools import partial

from l2sweep.bench.adapter.contract import ContractError


class _PollFd(ctypes.Structure):
    """``struct pollfd`` of poll(2)."""

    _fields_ = (("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short))


class Event:
    """An event descriptor.

    Args:
        descriptor: The file descriptor.

    Attributes:
        is_signalled: Returns at once whether the descriptor is readable: 0 if it is not.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poller = select.poll()
        self._poller.register(descriptor, select.POLLIN)
        # Unlike the methods of ``select``, a function of PyDLL keeps the interpreter lock. A producer that
        # gives it up while a thread of the adapter waits for it may get it back only 5 ms later
        # (sys.getswitchinterval). With arguments that are made once, a call takes 0.9 us.
        poll = ctypes.PyDLL(None)["poll"]
        request = _PollFd(descriptor, select.POLLIN, 0)
        self.is_signalled: Callable[[], int] = partial(
            poll, ctypes.byref(request), ctypes.c_ulong(1), ctypes.c_int(0)
        )

    def wait(self, timeout_s: float) -> bool:
        """Wait until the descriptor is readable, and return whether it is.

        Args:
            timeout_s: Seconds to wait.
        """
        return bool(self._poller.poll(timeout_s * 1000))

    def consume(self) -> None:
        """Reset the signals that are there.

        Raises:
            ContractError: The descriptor is closed, or is no event descriptor.
        """
        try:
            os.eventfd_read(self._descriptor)  # as LMCache's consume_fd, with one call less
        except BlockingIOError:
            return
        except OSError as error:
            # Without a number, the descriptor was closed, and belongs to a file of another kind by now.
            reason = error.strerror if error.errno else "it is no event descriptor any more"
            raise ContractError(f"the event descriptor cannot be read: {reason}") from error
