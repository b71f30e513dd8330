"""Tell which processes were run and are no samples, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from l2sweep.analysis.compare.rows.columns import Booleans, Integers
from l2sweep.analysis.ended import rounds_text
from l2sweep.analysis.fleet.hosts import FLEET_HOST

_NO_FAILURES = ("ok", "warm", "stopped")
"""How a process may end without having failed. A warm phase was measured; a user stops a sweep."""


@dataclass(frozen=True)
class Failure:
    """A process that was run and is no sample.

    Attributes:
        side: 0 for the base, 1 for the candidate.
        point_id: Id of the point.
        phase: The phase in which it failed; ``all`` if that is not known.
        reason: How it ended.
        example: Index of a row of the process.
        fleet_host: Host of a fleet; None for other sweeps.
    """

    side: int
    point_id: str
    phase: str
    reason: str
    example: int
    fleet_host: str | None = None


@dataclass(frozen=True)
class ProcessRows:
    """The measured rounds of processes, in a table of rounds and points.

    Attributes:
        rows: Indices of the rows, those of a process adjacent.
        first: For each process the index in ``rows`` of its first row.
        count: For each process the number of its rows.
        is_ok: For each row whether its round is ok.
        is_sample: For each process whether it is a sample.
        required: For each process the number of rounds with which it is complete.
        is_limit: For each process whether that is the limit of an open number of rounds.
    """

    rows: Integers
    first: Integers
    count: Integers
    is_ok: Booleans
    is_sample: Booleans
    required: Integers
    is_limit: Booleans


def failures(
    table: pa.Table, side: Integers, at_point: Integers, ended: Booleans, processes: ProcessRows
) -> tuple[Failure, ...]:
    """Return the processes that are no samples.

    Args:
        table: Rows of ``rounds``, then of ``points``.
        side: For each row 0 (base) or 1 (candidate).
        at_point: For each row a key of its sweep and point.
        ended: For each row whether it tells how a process of a last attempt ended.
        processes: The processes with rounds.
    """
    statuses = table.column("status")
    bad_ends = [int(row) for row in np.flatnonzero(ended) if statuses[int(row)].as_py() not in _NO_FAILURES]
    stopped = {int(at_point[row]) for row in np.flatnonzero(ended) if statuses[int(row)].as_py() == "stopped"}
    found: list[Failure] = []
    explained: set[int] = set()
    for process in np.flatnonzero(~processes.is_sample):
        start = int(processes.first[process])
        own = slice(start, start + int(processes.count[process]))
        wrong = processes.rows[own][~processes.is_ok[own]]
        example = int(wrong.min()) if len(wrong) else int(processes.rows[start])
        key = int(at_point[example])
        explained.add(key)
        if len(wrong) or key not in stopped:
            reason = _round_reason(table, wrong) if len(wrong) else _too_few(processes, int(process))
            found.append(_failure(table, side, example, table.column("phase")[example].as_py(), reason))
    for row in bad_ends:
        if int(at_point[row]) not in explained:
            phase = table.column("phase")[row].as_py()
            found.append(_failure(table, side, row, phase, _text(table, row)))
    return tuple(found)


def _failure(table: pa.Table, side: Integers, row: int, phase: str, reason: str) -> Failure:
    point_id = table.column("point_id")[row].as_py()
    host = table.column(FLEET_HOST)[row].as_py()
    return Failure(int(side[row]), point_id, phase, reason, row, host)


def _too_few(processes: ProcessRows, process: int) -> str:
    count, required = int(processes.count[process]), int(processes.required[process])
    return rounds_text(count, required, is_limit=bool(processes.is_limit[process]))


def _round_reason(table: pa.Table, wrong: Integers) -> str:
    first = int(wrong.min())
    counted = f"{len(wrong)} rounds: " if len(wrong) > 1 else ""
    return counted + _text(table, first)


def _text(table: pa.Table, row: int) -> str:
    status, detail = (table.column(name)[row].as_py() for name in ("status", "detail"))
    return f"{status}: {detail}" if detail else str(status)
