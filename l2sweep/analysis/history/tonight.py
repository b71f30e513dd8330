"""What is slower tonight and since when, according to the comparison with the last nights and the history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from l2sweep.analysis.compare.result import PointComparison
from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.history.changes import Change, PointHistory


@dataclass(frozen=True)
class SlowerPoint:
    """A point and phase that is slower than in the nights before.

    Attributes:
        point: The point and phase.
        before_s: Median duration in the nights before.
        tonight_s: Median duration of tonight.
        percent: By how much the duration grew, in percent.
        change: The change of its level; None if it is slow only since tonight.
    """

    point: Point
    before_s: float
    tonight_s: float
    percent: float
    change: Change | None


def slower_points(
    compared: Sequence[PointComparison],
    histories: Sequence[PointHistory],
    compare_nights: int,
    controls: Collection[str] = (),
) -> list[SlowerPoint]:
    """Return what is slower tonight, the largest growth first.

    A point is slower if the comparison says so, or if its level rose within the nights that tonight is
    compared with. So a slow change, of which each night is hardly slower than the last ones, is found as
    well. It is not taken from the history if the level of a control rose too.

    Args:
        compared: The comparison of tonight with the last nights.
        histories: The series of all points, up to tonight.
        compare_nights: Number of previous nights that tonight is compared with.
        controls: Adapter types that are controls.
    """
    rises = {
        _key(history.point): (history, change)
        for history in histories
        if (change := recent_rise(history, compare_nights)) is not None
    }
    found = {}
    for one in compared:
        if one.verdict == "slower":
            _, rise = rises.get(_key(one.point), (None, None))
            percent = (one.ratio - 1) * 100
            found[_key(one.point)] = SlowerPoint(one.point, one.base_s, one.candidate_s, percent, rise)
    host_changed = any(history.point.adapter in controls for history, _ in rises.values())
    for key, (history, rise) in rises.items():
        if key not in found and not host_changed:
            tonight_s = history.known_s[-1]
            found[key] = SlowerPoint(history.point, rise.before_s, tonight_s, rise.percent, rise)
    return sorted(found.values(), key=lambda slower: -slower.percent)


def recent_rise(history: PointHistory, compare_nights: int) -> Change | None:
    """Return the newest change of a series if it made it slower, within the last nights; else None.

    Args:
        history: The series, up to tonight. None is returned if tonight has no value.
        compare_nights: Number of nights before tonight.
    """
    change = history.last_change
    if change is None or change.percent <= 0 or history.durations_s[-1] is None:
        return None
    nights_since = len(history.nights) - 1 - history.nights.index(change.since)
    return change if nights_since < compare_nights else None


def _key(point: Point) -> tuple[str | None, ...]:
    return point.point_id, point.phase, point.cache_state, point.lookup_answered_by, point.fleet_host
