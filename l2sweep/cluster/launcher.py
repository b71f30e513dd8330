"""The launcher, as an attempt that runs on one of several hosts sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from l2sweep.bench.messages import Message, RendezvousOpened
from l2sweep.cluster.line.connection import Connection, LineLostError
from l2sweep.cluster.line.messages import Leave, LineMessage, Lost, Opened, Stop, from_line, to_line


class Launcher:
    """The launcher, and the other hosts through it, as an attempt sees them.

    Args:
        connection: To the launcher.
        number: Number of the attempt.
        on_leave: Called when the launcher says that the sweep has ended.
    """

    def __init__(self, connection: Connection, number: int, on_leave: Callable[[], None]) -> None:
        self._connection = connection
        self._number = number
        self._on_leave = on_leave
        self._phase = ""
        self._opened: dict[str, int] = {}
        self._is_lost = False

    def fileno(self) -> int:
        """Return the descriptor that can be read when the launcher has sent something."""
        return self._connection.fileno()

    def begin_step(self, phase: str) -> None:
        """Take note that a process step begins here."""
        self._phase = phase

    def opened(self, message: RendezvousOpened) -> None:
        """Tell the other hosts that client 0 listens here."""
        self.send(Opened(self._number, self._phase, message.port))

    def send(self, message: LineMessage) -> None:
        """Send a message to the launcher.

        Raises:
            KeyboardInterrupt: The launcher is lost.
        """
        try:
            self._connection.send(to_line(message))
        except LineLostError as error:
            raise KeyboardInterrupt from error

    def read(self) -> Iterator[Message | None]:
        """Yield what has arrived for this step.

        Raises:
            KeyboardInterrupt: The launcher asked to stop, or is lost.
        """
        try:
            for values in self._connection.arrived():
                self._take(from_line(values))
        except LineLostError as error:
            raise KeyboardInterrupt from error
        if self._phase in self._opened:
            yield RendezvousOpened(self._opened.pop(self._phase))
        if self._is_lost:
            self._is_lost = False
            yield None

    def _take(self, message: LineMessage) -> None:
        if isinstance(message, Leave):
            self._on_leave()
        if isinstance(message, Stop | Leave):
            raise KeyboardInterrupt
        if isinstance(message, Opened) and message.number == self._number:
            self._opened[message.phase] = message.port
        if isinstance(message, Lost) and message.number == self._number:
            self._is_lost = True
