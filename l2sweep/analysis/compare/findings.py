"""Turn tested differences into verdicts, with the numbers that a reader needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2sweep.analysis.compare.controls import ControlChange, control_of_each, explanation, relevant
from l2sweep.analysis.compare.layout import Layout
from l2sweep.analysis.compare.result import NewFailure, PointComparison, TotalComparison
from l2sweep.analysis.compare.rows.columns import Integers
from l2sweep.analysis.compare.rows.samples import Point, Samples
from l2sweep.analysis.compare.significance import rank_tests, repeats_needed
from l2sweep.analysis.compare.tested import CLOCK_ERROR_S, NIGHT_OF_POINT, Limits, Tested
from l2sweep.analysis.compare.verdict import Evidence, judge

TOO_FEW = "too few processes for an estimate of the variance"
TOO_SMALL = f"the difference is below {CLOCK_ERROR_S * 1e3:g} ms, the error of the measurement"


@dataclass(frozen=True)
class Group:
    """An adapter in a phase, with the state of the page cache and what answered its lookups."""

    adapter: str
    phase: str
    cache_state: str | None
    lookup_answered_by: str | None

    @classmethod
    def of(cls, point: Point) -> Group:
        """Return the group of a point."""
        return cls(point.adapter, point.phase, point.cache_state, point.lookup_answered_by)


def point_comparisons(
    laid: Layout,
    points: Sequence[Point],
    tested: Tested,
    changes: Sequence[ControlChange],
    kinds: Mapping[str, str],
    limits: Limits,
) -> list[PointComparison]:
    """Return the comparison of each point.

    Args:
        laid: The samples.
        points: The points, in the order of the layout.
        tested: Their differences.
        changes: The controls that moved.
        kinds: Names of the controls, and what each of them measures.
        limits: What counts as a finding.
    """
    is_control = np.array([point.adapter in kinds for point in points])
    of_controls = np.flatnonzero(is_control)
    matched = control_of_each(points, [points[index] for index in of_controls], kinds)
    control = [None if one is None else int(of_controls[one]) for one in matched]
    needed = repeats_needed(tested.own, is_control, limits.level, limits.threshold, NIGHT_OF_POINT)
    base_s, candidate_s = laid.side_medians_s
    processes, nights = laid.processes, laid.nights
    rank_p, least = rank_tests(*(values.reshape(len(points), -1) for values in laid.median_s))
    found = []
    for index, point in enumerate(points):
        own_control = None if is_control[index] else control[index]
        relevant_changes = () if is_control[index] else relevant(changes, point.phase, own_control)
        repeats = int(needed[index])
        found.append(
            PointComparison(
                **_judged(tested, index, relevant_changes, _repeats_text(repeats, nights, index), limits),
                control_ratio=None if own_control is None else float(tested.ratio[own_control]),
                point=point,
                base_s=float(base_s[index]),
                candidate_s=float(candidate_s[index]),
                base_processes=int(processes[0][index]),
                candidate_processes=int(processes[1][index]),
                base_nights=int(nights[0][index]),
                candidate_nights=int(nights[1][index]),
                rank_p=float(rank_p[index]),
                least_rank_p=float(least[index]),
                repeats_needed=repeats if repeats > 0 else None,
            )
        )
    return found


def total_comparisons(
    groups: Sequence[Group],
    sizes: Integers,
    tested: Tested,
    changes: Sequence[ControlChange],
    kinds: Mapping[str, str],
    limits: Limits,
) -> list[TotalComparison]:
    """Return the comparison of each adapter and phase.

    Args:
        groups: The adapters and phases.
        sizes: Number of points of each.
        tested: Their differences.
        changes: The controls that moved.
        kinds: Names of the controls, and what each of them measures.
        limits: What counts as a finding.
    """
    found = []
    for index, group in enumerate(groups):
        control = None if group.adapter in kinds else _control_total(groups, group, kinds)
        relevant_changes = () if group.adapter in kinds else relevant(changes, group.phase, None)
        found.append(
            TotalComparison(
                **_judged(tested, index, relevant_changes, "more repeats or nights are needed", limits),
                control_ratio=None if control is None else float(tested.ratio[control]),
                adapter=group.adapter,
                phase=group.phase,
                cache_state=group.cache_state,
                lookup_answered_by=group.lookup_answered_by,
                points=int(sizes[index]),
                control_of=kinds.get(group.adapter, ""),
            )
        )
    return found


def new_failures(samples: Samples) -> tuple[NewFailure, ...]:
    """Return what fails in the candidate, and was measured in the base without a failure."""
    known = {(point.point_id, point.phase, point.fleet_host): point for point in samples.points}
    base = [samples.points[index] for index in np.unique(samples.point[samples.side == 0])]
    measured = {(point.point_id, point.phase, point.fleet_host) for point in base}
    places = {(point.point_id, point.fleet_host) for point in base}
    failed_before = {(one.point_id, one.phase, one.fleet_host) for one in samples.failures if one.side == 0}
    found: dict[tuple[str, str, str | None], list[str]] = {}
    for failure in samples.failures:
        key = (failure.point_id, failure.phase, failure.fleet_host)
        was_measured = key in measured or (failure.phase == "all" and (key[0], key[2]) in places)
        if failure.side == 1 and was_measured and key not in failed_before:
            found.setdefault(key, []).append(failure.reason)
    return tuple(
        NewFailure(known.get(key) or _any_phase(samples, key), *key[:2], len(reasons), reasons[0])
        for key, reasons in found.items()
    )


def _any_phase(samples: Samples, key: tuple[str, str, str | None]) -> Point | None:
    """Return the point of a key in any phase, on the same host."""
    of_point = (point for point in samples.points if (point.point_id, point.fleet_host) == (key[0], key[2]))
    return next(of_point, None)


def _judged(
    tested: Tested, index: int, changes: Sequence[ControlChange], repeats: str, limits: Limits
) -> dict[str, Any]:
    """Return the fields that every comparison has, except the ratio of the control."""
    significance, ratio = tested.significance, float(tested.ratio[index])
    is_tested, is_finding = not np.isnan(significance.p[index]), tested.is_finding(index, limits)
    is_unmeasurable = tested.is_large(index, limits) and not is_finding
    host_change = explanation(tested.estimate(index), ratio, changes, limits) if is_finding else ""
    verdict, reason = judge(
        Evidence(
            ratio=ratio,
            is_finding=is_finding,
            limits=(
                (float(tested.low[index]), float(tested.high[index])),
                (float(significance.low[index]), float(significance.high[index])),
            ),
            visible=float(significance.visible[index]),
            untestable="" if is_tested else TOO_FEW,
            repeats=repeats,
            host_change=host_change,
            unmeasurable=TOO_SMALL if is_unmeasurable else "",
        ),
        limits.threshold,
    )
    return {
        "ratio": ratio,
        "low": float(tested.low[index]),
        "high": float(tested.high[index]),
        "p": float(significance.p[index]) if is_tested else None,
        "q": float(significance.q[index]) if is_tested else None,
        "visible_ratio": float(significance.visible[index]) if is_tested else None,
        "verdict": verdict,
        "reason": reason,
    }


def _repeats_text(repeats: int, nights: tuple[Integers, Integers], index: int) -> str:
    if repeats > 0:
        return f"{repeats} repeats per sweep would be enough"
    if max(int(one[index]) for one in nights) == 1:
        return "no number of repeats would be enough: compare with several nights"
    return "no number of repeats would be enough: the nights differ too much"


def _control_total(groups: Sequence[Group], own: Group, kinds: Mapping[str, str]) -> int | None:
    same = [
        index
        for index, group in enumerate(groups)
        if kinds.get(group.adapter) == "disk" and group.phase == own.phase
    ]
    return min(same, key=lambda index: groups[index].cache_state != own.cache_state, default=None)
