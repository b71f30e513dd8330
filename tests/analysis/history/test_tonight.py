"""Tests of l2sweep.analysis.history.tonight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from made_sweeps import MadeSweep, together

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.result import PointComparison
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.history.changes import PointHistory, histories
from l2sweep.analysis.history.tonight import recent_rise, slower_points


def nights(*factors: Mapping[Any, float]) -> tuple[tuple[PointComparison, ...], list[PointHistory]]:
    """Return the comparison of the last night with the seven before, and the histories of all nights."""
    made = [
        MadeSweep(number, adapters=("fs", "fio"), factors=own, depths=(1,), phases=("load",)).rows()
        for number, own in enumerate(factors)
    ]
    rounds, points = together(*made)
    base, _ = together(*made[-8:-1])
    result = compare_tables([base, made[-1][0]], controls=CONTROLS)
    return result.points, histories(rounds, lambda: points)


QUIET: Mapping[Any, float] = {}
SLOW = {("fs", "load", 8192): 1.25}


def test_what_the_comparison_finds_tonight_has_no_night_since_when() -> None:
    compared, series = nights(*[QUIET] * 10, SLOW)
    (slower,) = slower_points(compared, series, 7, CONTROLS)
    (verdict,) = (one for one in compared if one.verdict == "slower")
    assert (slower.point, slower.change) == (verdict.point, None)
    assert (slower.before_s, slower.tonight_s) == (verdict.base_s, verdict.candidate_s)
    assert slower.percent == pytest.approx((verdict.ratio - 1) * 100)


def test_what_the_comparison_finds_again_has_the_night_of_the_history() -> None:
    compared, series = nights(*[QUIET] * 10, SLOW, SLOW)
    (slower,) = slower_points(compared, series, 7, CONTROLS)
    assert slower.change is not None
    assert slower.change.since == "night-010"


def test_a_change_that_the_comparison_misses_is_taken_from_the_history() -> None:
    _, series = nights(*[QUIET] * 10, *[SLOW] * 6)
    (slower,) = slower_points([], series, 7, CONTROLS)
    assert slower.percent == pytest.approx(25, abs=3)
    assert slower.tonight_s == next(one for one in series if one.point == slower.point).durations_s[-1]


def test_a_change_that_is_old_is_the_usual() -> None:
    _, series = nights(*[QUIET] * 10, *[SLOW] * 8)
    assert slower_points([], series, 7, CONTROLS) == []


def test_a_change_for_the_better_is_not_reported() -> None:
    _, series = nights(*[SLOW] * 10, *[QUIET] * 3)
    assert slower_points([], series, 7, CONTROLS) == []


def test_nothing_is_taken_from_the_history_if_a_control_rose_too() -> None:
    both = {**SLOW, ("fio", "load"): 1.2}
    _, series = nights(*[QUIET] * 10, *[both] * 3)
    assert any(one.point.adapter == "fio" and recent_rise(one, 7) for one in series)
    assert slower_points([], series, 7, CONTROLS) == []
