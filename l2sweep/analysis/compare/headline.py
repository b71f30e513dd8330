"""Answer in one line whether the candidate is slower."""

from __future__ import annotations

from typing import TypeVar

from l2sweep.analysis.compare.result import (
    Comparison,
    ComparisonResult,
    PointComparison,
    TotalComparison,
)
from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.compare.verdict import in_words

_MOST_NAMED = 3

_Found = TypeVar("_Found", bound=Comparison)


def headline(result: ComparisonResult) -> str:
    """Return the answer, such as ``slower: 2 of 78 points, fs load at 32768 KiB takes 11% longer``."""
    parts = []
    if result.host_changed:
        parts.append(f"the host changed: {listed(list(result.host_changes))}")
    if result.new_failures:
        first = result.new_failures[0]
        name = f"{first.point.adapter} " if first.point else ""
        parts.append(
            f"failing: {counted(len(result.new_failures), 'point')} that did not fail in the base, "
            f"the first one {name}{first.phase}: {first.reason}"
        )
    for verdict in ("slower", "faster"):
        text = _found(result, verdict)
        if text:
            parts.append(f"{verdict}: {text}")
    if result.verdict in ("same", "inconclusive"):
        parts.append(_quiet(result))
    return "; ".join(parts)


def point_name(point: Point) -> str:
    """Return a point in words, such as ``fs load at 32768 KiB, 4 in flight``, in a fleet with its host."""
    host = f" on {point.fleet_host}" if point.fleet_host else ""
    return f"{point.adapter} {point.phase} at {point.data_size_kb} KiB, {point.in_flight} in flight{host}"


def total_name(total: TotalComparison) -> str:
    """Return an adapter and phase in words, such as ``fs load over 8 points``."""
    return f"{total.adapter} {total.phase} over {counted(total.points, 'point')}"


def with_interval(one: Comparison) -> str:
    """Return a ratio in words, such as ``takes 11% longer (95%: 7% to 15%)``."""
    low, high = (f"{100 * (limit - 1):+.0f}%" for limit in (one.low, one.high))
    return f"{in_words(one.ratio)} (95%: {low} to {high})"


def _found(result: ComparisonResult, verdict: str) -> str:
    points: list[PointComparison] = [one for one in result.points if one.verdict == verdict]
    totals = [one for one in result.totals if one.verdict == verdict]
    if not points and not totals:
        return ""
    count = f"{len(points)} of {counted(len(result.points), 'point')}"
    named = [f"{total_name(one)} {with_interval(one)}" for one in _by_size(totals)]
    if not named:
        named = [f"{point_name(one.point)} {with_interval(one)}" for one in _by_size(points)]
    return f"{count}, {listed(named)}"


def _by_size(found: list[_Found]) -> list[_Found]:
    return sorted(found, key=lambda one: -max(one.ratio, 1 / one.ratio))


def _quiet(result: ComparisonResult) -> str:
    counts = result.counts
    if result.host_changed:
        return "nothing is slower beside the controls"
    inconclusive = f", {counts['inconclusive']} inconclusive" if counts["inconclusive"] else ""
    return (
        f"nothing slower: {counts['same']} of {counted(len(result.points), 'point')} the same{inconclusive}"
    )


def listed(names: list[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join([*names[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])])


def counted(number: int, noun: str, ending: str = "s") -> str:
    """Return a number with its noun, such as ``2 points``."""
    return f"{number} {noun}{'' if number == 1 else ending}"
