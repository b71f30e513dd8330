"""Tell how the process of a phase ended, where one process may run several phases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def phase_status(phase: str, phases: Sequence[str], rounds: Sequence[Row], points: Sequence[Row]) -> str:
    """Return the status of the process as far as it concerns one phase.

    A process that runs all phases and ends badly in one of them has measured the phases before it, and none
    of the phases behind it. If every phase is complete and ok, the process ended badly behind the last one,
    which gets its status.

    Args:
        phase: store, lookup or load.
        phases: All requested phases, in the order in which they run.
        rounds: Rows of the data set ``rounds``, all of one attempt at a point.
        points: Rows of the data set ``points``, all of the attempt: one per process.

    Returns:
        A value of the column ``status``; ``ok`` if the process ran the phase to its end.
    """
    own = next((row for row in points if row["phase"] in (phase, "all")), None)
    if own is None:  # an earlier process ended the point
        return next((str(row["status"]) for row in points if row["status"] != "ok"), "ok")
    status = str(own["status"])
    if status == "ok" or own["phase"] != "all":
        return status
    requested = own["rounds"]
    measured = {
        name: [row["status"] for row in rounds if row["phase"] == name and not row["is_warmup"]]
        for name in phases
    }
    if len(measured[phase]) < requested:
        return status
    explains = {
        name: len(statuses) < requested or (status == "failed" and any(one != "ok" for one in statuses))
        for name, statuses in measured.items()
    }
    return status if phase == phases[-1] and not any(explains.values()) else "ok"
