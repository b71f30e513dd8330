"""Which points of a resumed sweep still have to run."""

from __future__ import annotations

import pytest
from shipped import point

from l2sweep.records.reading.intact import UNREADABLE
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.remaining import still_to_run

ENDED = {0: (1, "ok"), 1: (2, "failed"), 2: (1, "stopped"), 3: (1, "warm"), 4: (3, UNREADABLE)}


@pytest.mark.parametrize(
    ("retry_failed", "remaining"),
    [(True, [(1, 3), (2, 2), (3, 2), (4, 4), (5, 1)]), (False, [(2, 2), (4, 4), (5, 1)])],
)
def test_points_without_success_still_have_to_run(
    retry_failed: bool, remaining: list[tuple[int, int]]
) -> None:
    plan = Plan(tuple(PlannedPoint(index, index, 0, point()) for index in range(6)), ())
    found = still_to_run(plan, ENDED, retry_failed)
    assert [(planned.index, planned.attempt) for planned in found] == remaining
