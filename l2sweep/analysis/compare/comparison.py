"""Compare the rows of two sets of sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from l2sweep.analysis.compare.bootstrap import ratio_draws
from l2sweep.analysis.compare.controls import ControlChange, control_changes
from l2sweep.analysis.compare.findings import Group, new_failures, point_comparisons, total_comparisons
from l2sweep.analysis.compare.layout import Layout, layout
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.columns import without_traces
from l2sweep.analysis.compare.rows.environment import differences
from l2sweep.analysis.compare.rows.nearest import why_nothing_in_common
from l2sweep.analysis.compare.rows.samples import Point, Samples, samples
from l2sweep.analysis.compare.tested import Limits, tested_points, tested_totals
from l2sweep.errors import RequestError

THRESHOLD = 0.05
"""A smaller change is no finding, unless the user says so."""
LEVEL = 0.005
"""Largest false discovery rate. benchmarks/gate.py measures how many quiet sweeps are alarmed."""
_ONLY_TRACES = "replays of a trace are not compared; l2sweep summary --by point_id,second shows them"


def compare_tables(
    rounds: Sequence[pa.Table],
    points: Sequence[pa.Table] = (),
    *,
    controls: Mapping[str, str],
    threshold: float = THRESHOLD,
    level: float = LEVEL,
) -> ComparisonResult:
    """Compare the rows of two sets of sweeps. ``docs/compare.md`` describes the method.

    Args:
        rounds: Rows of ``rounds`` of base and candidate, with the columns ``ROUND_COLUMNS``.
        points: Rows of ``points`` of base and candidate, with the columns ``POINT_ROW_COLUMNS``; empty if
            they are not known.
        controls: Names of the controls, and what each of them measures: ``disk`` or ``harness``.
        threshold: The least change that is a finding, as a share: 0.05 is 5 %.
        level: Largest false discovery rate.

    Raises:
        RequestError: Base and candidate have nothing in common.
    """
    with_traces, rounds = rounds, [without_traces(rows) for rows in rounds]
    taken = samples(rounds, points)
    laid = layout(taken)
    if not len(laid.points):
        if sum(map(len, rounds)) < sum(map(len, with_traces)):
            raise RequestError([f"not comparable: {_ONLY_TRACES}"])
        raise RequestError([f"not comparable: {why_nothing_in_common(taken)}"])
    limits = Limits(threshold, level)
    common = [taken.points[index] for index in laid.points]
    groups = list(dict.fromkeys(map(Group.of, common)))
    group = np.array([groups.index(Group.of(point)) for point in common])
    draws = ratio_draws(taken, laid)
    is_control = np.array([one.adapter in controls for one in groups])
    one_by_one = tested_points(laid, draws, group, is_control[group], level)
    together = tested_totals(laid, draws, group, is_control, level)

    point_names = [(point.adapter, point.phase) for point in common]
    total_names = [(one.adapter, one.phase) for one in groups]
    changes = [
        *control_changes(together, total_names, controls, limits, one_by_one=False),
        *control_changes(one_by_one, point_names, controls, limits, one_by_one=True),
    ]
    judged = point_comparisons(laid, common, one_by_one, changes, controls, limits)
    totals = total_comparisons(groups, np.bincount(group), together, changes, controls, limits)
    return ComparisonResult(
        base=taken.nights[0],
        candidate=taken.nights[1],
        threshold=threshold,
        level=level,
        points=tuple(one for one in judged if one.point.adapter not in controls),
        totals=tuple(one for one in totals if not one.control_of),
        controls=tuple(one for one in judged if one.point.adapter in controls),
        control_totals=tuple(one for one in totals if one.control_of),
        host_changes=_host_changes(changes),
        environment=differences(rounds, points, [point.point_id for point in common]),
        new_failures=new_failures(taken),
        failures=taken.failures,
        only_base=_only(taken, laid, 0),
        only_candidate=_only(taken, laid, 1),
    )


def _only(taken: Samples, laid: Layout, side: int) -> tuple[Point, ...]:
    """Return the points that only one side has. A point that failed on the other side is there, too."""
    own = np.setdiff1d(taken.point[taken.side == side], laid.points)
    failed = {(one.point_id, one.phase, one.fleet_host) for one in taken.failures if one.side != side}
    found = (taken.points[index] for index in own)
    return tuple(
        one
        for one in found
        if not {(one.point_id, phase, one.fleet_host) for phase in (one.phase, "all")} & failed
    )


def _host_changes(changes: Sequence[ControlChange]) -> tuple[str, ...]:
    """Return what the controls show in words: of all points of a control, or else of single ones."""
    whole = {(change.adapter, change.phase) for change in changes if change.point is None}
    shown = [one for one in changes if one.point is None or (one.adapter, one.phase) not in whole]
    return tuple(dict.fromkeys(change.words for change in shown))
