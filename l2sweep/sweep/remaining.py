"""Tell which points of a sweep still have to run when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from l2sweep.records.reading.intact import UNREADABLE
from l2sweep.sweep.plan import Plan, PlannedPoint

_NEITHER_MEASURED_NOR_FAILED = ("", "stopped", UNREADABLE)


def still_to_run(plan: Plan, ended: Mapping[int, tuple[int, str]], retry_failed: bool) -> list[PlannedPoint]:
    """Return the points of a resumed sweep that still have to run, each with its next attempt.

    These are the points without rows, those that the user stopped, those whose records cannot be read, and,
    if requested, those that failed.

    Args:
        plan: The plan of the sweep.
        ended: Number and status of the last attempt by the index of the point, from ``last_attempts``.
        retry_failed: Whether failed points run again.
    """
    remaining = []
    for planned in plan.points:
        attempt, status = ended.get(planned.index, (0, ""))
        if status == "ok" or (status not in _NEITHER_MEASURED_NOR_FAILED and not retry_failed):
            continue
        remaining.append(replace(planned, attempt=attempt + 1))
    return remaining
