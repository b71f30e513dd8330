"""Tests of l2sweep.analysis.report.sections.trust.controls."""

from __future__ import annotations

import numpy as np
import pytest
from made_reports import control_row, made_rows, source_of

from l2sweep.analysis.report.contents.trust import Check
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.throughput import throughput
from l2sweep.analysis.report.sections.trust.controls import control_error, controls, harness_floor
from l2sweep.analysis.report.source import ReportSource


def answer(source: ReportSource, host_changes: tuple[str, ...] = ()) -> Check:
    measured = Measured.of(source)
    floor = harness_floor(measured.points)
    rates = throughput(measured, None)
    return controls(measured.points, rates, floor, control_error(measured), host_changes)


def with_control(late: float) -> ReportSource:
    """Return a sweep of fs, and of a control whose rounds take longer than its 2 ms."""
    rounds, points = made_rows(adapters=("fs", "mock"), sizes_kb=(256,), depths=(1,))
    for row in (*rounds, *points):
        if row["adapter_type"] == "mock":
            row.update(control_row(row), lmcache_version="0.5.6")
    for row in rounds:
        if row["adapter_type"] == "plugin":
            row.update(duration_s=0.002 * late, cache_state=None)
    return source_of(rounds, points)


def test_the_error_of_the_control_is_that_of_its_durations() -> None:
    source = with_control(late=1.004)
    assert control_error(Measured.of(source)) == pytest.approx(0.4)
    found = answer(source)
    assert found.state == "good"
    assert found.sentence == "Control is 0.40% off its theory, the error of the harness."
    assert found.details[0].startswith("The shortest median round of an adapter takes 2.5")
    assert found.details[1] == "fio was not measured, so what limits an adapter is not known."


def test_a_control_that_is_off_is_a_warning() -> None:
    assert answer(with_control(late=1.05)).state == "warning"


def test_the_floor_has_the_medians_of_mock() -> None:
    rounds, points = made_rows(adapters=("fs", "mock", "fio"), sizes_kb=(256,), depths=(1,), repeats=6)
    source = source_of(rounds, points)
    floor = {one.phase: one for one in harness_floor(Measured.of(source).points)}
    assert set(floor) == {"load", "store", "lookup"}
    rows = source.rounds[source.rounds["adapter_type"] == "mock"]
    for phase, one in floor.items():
        medians = sorted(rows[rows["phase"] == phase].groupby("point_index")["duration_s"].median())
        assert one.median_s == pytest.approx(np.median(medians))
        assert (one.median_low_s, one.median_high_s) == pytest.approx((medians[0], medians[-1]))
    sentence = answer(source).sentence
    assert sentence.startswith("A round over mock, which keeps its data in memory, takes 2.")
    assert "fio measured the device beside 2 of 2 settings of adapters that store or load" in sentence


def test_no_control_and_a_host_that_changed_are_said() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    assert answer(source_of(rounds, points)).state == "unknown"
    rounds, points = made_rows(adapters=("fs", "fio"), sizes_kb=(256,), depths=(1,))
    found = answer(source_of(rounds, points), ("fio load takes 20% longer",))
    assert found.state == "warning"
    assert "against the base the host changed: fio load takes 20% longer" in found.sentence
