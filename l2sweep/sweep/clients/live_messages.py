"""Show the messages of several clients as those of one process."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import fields, replace

from l2sweep.analysis.clients.merging import merged_round
from l2sweep.bench.messages import Message, Note, PhaseStarted, RoundMeasured

_FIELDS = {field.name for field in fields(RoundMeasured)}


class LiveMessages:
    """Turns the messages of several clients into those of one process: each round is shown once.

    Args:
        clients: Number of clients.
    """

    def __init__(self, clients: int) -> None:
        self._clients = clients
        self._begun: Counter[str] = Counter()
        self._rounds: dict[tuple[str, int], list[RoundMeasured]] = defaultdict(list)

    def shown(self, client: int, message: Message) -> Message | None:
        """Return what to show of a message; None: nothing.

        Notes of all clients are shown, each phase when the last client has begun it, and each round when the
        last one has ended it. Of the other messages, those of the first client stand for all.

        Args:
            client: Number of the client that sent it.
            message: The message.
        """
        if self._clients == 1:
            return message
        if isinstance(message, Note):
            return replace(message, text=f"client {client}: {message.text}")
        if isinstance(message, PhaseStarted):
            self._begun[message.phase] += 1
            return message if self._begun[message.phase] == self._clients else None
        if not isinstance(message, RoundMeasured):
            return message if client == 0 else None
        of_round = self._rounds[message.phase, message.round]
        of_round.append(message)
        if len(of_round) < self._clients:
            return None
        del self._rounds[message.phase, message.round]
        merged = merged_round([vars(one) for one in of_round], [_start_s(one) for one in of_round])
        return RoundMeasured(**{name: merged[name] for name in _FIELDS})


def _start_s(one: RoundMeasured) -> float | None:
    """Return when a client started, by the clock of the host of client 0."""
    return None if one.started_at_s is None else one.started_at_s + (one.clock_offset_s or 0.0)
