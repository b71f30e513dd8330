"""A barrier between the clients of a point, over ``torch.distributed.TCPStore``."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from l2sweep.bench.rendezvous.address import Rendezvous
from l2sweep.bench.rendezvous.clock_offset import SAME_CLOCK, answer_clocks, ask_clock
from l2sweep.errors import BenchError

if TYPE_CHECKING:
    from torch.distributed import Store

# The other clients start a few milliseconds later, forked, or as long as the imports of torch take.
_CONNECT_LIMIT = timedelta(seconds=120)
# For the checks and the deletion behind the last round. Whoever takes longer needs the store no more.
_END_LIMIT_S = 120.0
_HERE = "here"
_END = 0


class Meeting:
    """The meeting of the clients, seen by one of them.

    Each barrier has a key for each client. A client sets its own, and waits until all are set. The value says
    that the client is there, or why it has left: then the next barrier fails for all.

    Args:
        rendezvous: Where the clients meet, and which of them this is.
        store: The store of client 0.

    Attributes:
        clock: The offset of this host's clock, from the last comparison.
    """

    def __init__(self, rendezvous: Rendezvous, store: Store) -> None:
        self._rendezvous = rendezvous
        self._store = store
        self._barrier = self._comparisons = 0
        self._problem = ""
        self.clock = SAME_CLOCK

    @property
    def spans_hosts(self) -> bool:
        """Whether the clients run on several hosts."""
        return bool(self._rendezvous.remote)

    def clock_columns(self) -> dict[str, Any]:
        """Return what a round reports of the clock of this host; nothing if there is only one host."""
        if not self.spans_hosts:
            return {}
        return {"clock_offset_s": self.clock.offset_s, "clock_error_s": self.clock.error_s}

    def compare_clocks(self, limit_s: float) -> None:
        """Compare the clocks of all hosts with that of client 0: the attribute ``clock`` has the result.

        All clients call this at the same step. Between clients of one host nothing is compared.

        Args:
            limit_s: How long to wait for another client, in seconds.

        Raises:
            BenchError: A client has left, did not answer in time, or cannot be reached.
        """
        if not self.spans_hosts:
            return
        self.meet(limit_s)  # else a client that is late is waited for in the midst of a comparison
        own, remote = self._rendezvous.rank, self._rendezvous.remote
        self._comparisons += 1
        name = partial(self._rendezvous.key, "clock", self._comparisons)
        try:
            if own in remote:
                self.clock = ask_clock(self._store, partial(name, own), limit_s)
            elif not own:
                for rank in remote:
                    answer_clocks(self._store, partial(name, rank), limit_s)
        except RuntimeError as error:
            self.leave(f"the clocks cannot be compared: {str(error).splitlines()[0]}")
            raise BenchError(self._problem) from error

    def meet(self, limit_s: float) -> None:
        """Wait until all clients are here, and return in all of them at the same time.

        That a client has left is noticed at the next barrier.

        Args:
            limit_s: How long to wait, in seconds.

        Raises:
            BenchError: A client has left, did not arrive in time, or cannot be reached.
        """
        if not self._problem and (problem := self._try_to_meet(limit_s)):
            self.leave(problem)  # a client that is only late must not wait for this one
        if self._problem:
            raise BenchError(self._problem)

    def leave(self, reason: str) -> None:
        """Say that this client comes to no later barrier. The others then stop as well.

        Args:
            reason: Why, in one line.
        """
        if not self._problem:
            self._problem = reason
            with contextlib.suppress(RuntimeError):  # client 0 has ended, and so has the meeting
                self._store.set(self._key(self._barrier + 1, self._rendezvous.rank), reason)

    def end(self) -> None:
        """Say that this client needs the meeting no more. Client 0 waits for the others: it has the store."""
        own = self._rendezvous.rank
        with contextlib.suppress(RuntimeError):  # client 0 did not wait any longer, or was ended
            self._store.set(self._key(_END, own), _HERE)
            if own == 0:
                self._store.wait(self._keys(_END), timedelta(seconds=_END_LIMIT_S))

    def _try_to_meet(self, limit_s: float) -> str:
        """Return why the clients did not meet; empty if they did."""
        own = self._rendezvous.rank
        try:
            # After the round and not before it: the answer would take time between the barrier and the start.
            if self._barrier and (problem := self._who_left()):
                return problem
            if self._barrier > 1:  # everybody has left the barrier before the last one
                self._store.delete_key(self._key(self._barrier - 1, own))
            self._barrier += 1
            self._store.set(self._key(self._barrier, own), _HERE)
            try:
                self._store.wait(self._keys(self._barrier), timedelta(seconds=limit_s))
            except RuntimeError as error:
                missing = self._missing()
                if not missing:
                    raise
                clients = ", ".join(f"client {rank}" for rank in missing)
                raise BenchError(f"{clients} did not arrive within {limit_s:.0f} s") from error
        except BenchError as error:
            return str(error)
        except RuntimeError as error:
            return f"the rendezvous of the clients failed: {str(error).splitlines()[0]}"
        return ""

    def _who_left(self) -> str:
        values = self._store.multi_get(self._keys(self._barrier))
        texts = {rank: value.decode(errors="replace") for rank, value in enumerate(values)}
        return next((f"client {rank} left: {text}" for rank, text in texts.items() if text != _HERE), "")

    def _missing(self) -> list[int]:
        return [rank for rank, key in enumerate(self._keys(self._barrier)) if not self._store.check([key])]

    def _keys(self, barrier: int) -> list[str]:
        return [self._key(barrier, rank) for rank in range(self._rendezvous.size)]

    def _key(self, barrier: int, rank: int) -> str:
        return self._rendezvous.key(barrier, rank)


@contextlib.contextmanager
def joined(rendezvous: Rendezvous | None, opened: Callable[[int], None]) -> Iterator[Meeting | None]:
    """Join the meeting of the clients of a point. A client that fails leaves it.

    Args:
        rendezvous: Where the clients meet; None: there is only one, and no meeting.
        opened: Called by client 0 with the port on which it listens.

    Raises:
        BenchError: The meeting cannot be joined.
    """
    if rendezvous is None:
        yield None
        return
    meeting = _join(rendezvous, opened)
    try:
        yield meeting
    except BaseException as error:
        meeting.leave(f"{type(error).__name__}: {error}")
        raise
    finally:
        meeting.end()


def _join(rendezvous: Rendezvous, opened: Callable[[int], None]) -> Meeting:
    from torch.distributed import TCPStore  # only here: other processes need not import it

    listener = None
    try:
        if not rendezvous.rank:
            # The store itself would listen on all interfaces.
            family = socket.AF_INET6 if ":" in rendezvous.host else socket.AF_INET
            listener = socket.create_server((rendezvous.host, 0), family=family, backlog=rendezvous.size)
            rendezvous = rendezvous.at(listener.getsockname()[1])
        store = TCPStore(
            rendezvous.host,
            rendezvous.port,
            is_master=listener is not None,
            timeout=_CONNECT_LIMIT,
            wait_for_workers=False,  # it would count everyone who connects
            master_listen_fd=None if listener is None else listener.detach(),
        )
    except (OSError, RuntimeError) as error:
        where = f"{rendezvous.host}:{rendezvous.port}"
        raise BenchError(f"the clients cannot meet at {where}: {str(error).splitlines()[0]}") from error
    if listener is not None:
        opened(rendezvous.port)
    return Meeting(rendezvous, store)
