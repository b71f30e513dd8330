"""The rows of an attempt at a point, host by host, and the rows of all hosts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.sweep.clients.together import shared_outcomes, together
from l2sweep.sweep.rows import Row, confirmed_rows


@dataclass(frozen=True)
class HostRows:
    """The rows of the clients on one host, each as if there were no other client.

    Attributes:
        points: Rows of the data set ``points``.
        rounds: Rows of the data set ``rounds``.
        lost: For each client whose process did not come to its end, how it ended.
        for_another: The clients that were ended because another one was lost.
    """

    points: Sequence[Row]
    rounds: Sequence[Row]
    lost: Mapping[int, str]
    for_another: frozenset[int] = frozenset()


def merged_rows(spec: Mapping[str, Any], parts: Sequence[HostRows]) -> tuple[list[Row], list[Row]]:
    """Return the rows of ``points`` and of ``rounds`` of an attempt.

    Args:
        spec: The adapter spec.
        parts: The rows of each host.
    """
    points = [row for part in parts for row in part.points]
    rounds = [row for part in parts for row in part.rounds]
    lost = {client: text for part in parts for client, text in part.lost.items()}
    for_another = frozenset().union(*(part.for_another for part in parts))
    points, rounds = confirmed_rows(spec, shared_outcomes(points, for_another), rounds)
    return points, together(rounds, lost, for_another)
