"""What became slower by tonight: what the comparison with the last nights found, and since when."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from l2sweep.analysis.history.changes import Change, PointHistory

Key = tuple[str, str, str]
"""``point_id``, ``phase`` and ``cache_state`` of a series."""


@dataclass(frozen=True)
class SlowerPoint:
    """A point and phase that is slower than in the nights before.

    Attributes:
        history: Its series.
        before_s: Median duration in the nights before.
        tonight_s: Duration of tonight.
        percent: By how much the duration grew, in percent.
        change: The change of its level; None if it is slow only since tonight.
    """

    history: PointHistory
    before_s: float
    tonight_s: float
    percent: float
    change: Change | None


def slower_points(
    histories: Sequence[PointHistory],
    compared: Mapping[Key, float],
    compare_nights: int,
    controls: Collection[str] = (),
) -> list[SlowerPoint]:
    """Return what is slower tonight, the largest growth first.

    A point is slower if the comparison says so, or if its level rose within the nights that tonight is
    compared with. So a slow change, of which each night is hardly slower than the last ones, is reported too.

    Args:
        histories: The series of all points, up to tonight.
        compared: By how much the duration grew according to the comparison, in percent, for each series that
            it calls slower.
        compare_nights: Number of previous nights that tonight is compared with.
        controls: Adapter types that are controls. A change of their level is not reported here.
    """
    found = []
    for history in histories:
        key = (history.point_id, history.phase, history.cache_state)
        tonight_s = history.durations_s[-1]
        if tonight_s is None:
            continue
        change = _recent_rise(history, compare_nights)
        if key in compared:
            before = [value for value in history.durations_s[-1 - compare_nights : -1] if value is not None]
            before_s = statistics.median(before) if before else float("nan")
            found.append(SlowerPoint(history, before_s, tonight_s, compared[key], change))
        elif change and history.adapter_type not in controls:
            found.append(SlowerPoint(history, change.before_s, tonight_s, change.percent, change))
    return sorted(found, key=lambda point: -point.percent)


def _recent_rise(history: PointHistory, compare_nights: int) -> Change | None:
    change = history.last_change
    if change is None or change.percent <= 0:
        return None
    nights_since = len(history.nights) - history.nights.index(change.since)
    return change if nights_since <= compare_nights else None
