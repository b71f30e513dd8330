"""Tests of l2sweep.analysis.report.sections.drift: computed again from the rows."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from made_reports import made_rows, made_source, source_of
from scipy import stats

from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections import drift as drifts
from l2sweep.analysis.report.sections.drift import drift


def test_every_round_is_relative_to_the_median_of_its_point_and_phase() -> None:
    source = made_source(adapters=("fs",), sizes_kb=(256, 1024), depths=(1,))
    found = drift(Measured.of(source))
    assert [one.phase for one in found.series] == ["load", "store", "lookup"]
    assert found.shown == found.not_measured == ""
    rounds = source.rounds
    ratio = rounds["duration_s"] / rounds.groupby(["point_id", "phase"])["duration_s"].transform("median")
    elapsed_s = (rounds["started_at"] - rounds["started_at"].min()).dt.total_seconds()
    for one in found.series:
        own = rounds["phase"] == one.phase
        assert sorted(one.ratio) == pytest.approx(sorted(ratio[own]))
        assert one.elapsed_s == pytest.approx(sorted(elapsed_s[own]))
        assert one.rounds == own.sum()


def test_the_drift_of_processes_follows_from_the_rows() -> None:
    rounds, points = made_rows(adapters=("fs", "fio"), repeats=3, rounds=7)  # the middle one is in no half
    for row in rounds:
        if row["phase"] == "load":
            row["duration_s"] *= 1 + 0.05 * row["round"]
    source = source_of(rounds, points)
    found = {one.phase: one for one in drift(Measured.of(source)).phases}
    adapters = source.rounds[source.rounds["adapter_type"] != "fio"].sort_values("round", kind="stable")
    for phase, one in found.items():
        logs = []
        for _, own in adapters[adapters["phase"] == phase].groupby("point_index"):
            values = own["duration_s"].to_numpy()
            logs.append(np.log(np.median(values[-3:]) / np.median(values[:3])))
        assert one.processes == len(logs) == 27
        assert one.median_ratio == pytest.approx(np.exp(np.median(logs)))
        assert one.p == pytest.approx(stats.wilcoxon(logs).pvalue)
    assert found["load"].median_ratio > 1.1
    assert found["load"].p is not None
    assert found["load"].p < 1e-4
    assert abs(found["store"].median_ratio - 1) < 0.02


def test_few_processes_have_no_p_and_few_rounds_no_halves() -> None:
    few = drift(Measured.of(made_source(adapters=("fs",), sizes_kb=(256,), depths=(1,), repeats=5)))
    assert [one.p for one in few.phases] == [None, None, None]
    short = drift(Measured.of(made_source(adapters=("fs",), rounds=3)))
    assert short.phases == ()


def test_a_long_sweep_is_thinned_evenly_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drifts, "MOST_ROUNDS", 60)
    source = made_source(adapters=("fs",), sizes_kb=(256,), repeats=10)
    found = drift(Measured.of(source))
    assert sum(len(one.ratio) for one in found.series) == 60
    assert found.shown == "Shown: 60 of 540 rounds, evenly chosen."
    assert {one.rounds for one in found.series} == {180}
    first, last = found.series[0].elapsed_s[0], found.series[0].elapsed_s[-1]
    assert last - first == pytest.approx(29.0)


def test_sweeps_begin_at_zero_each() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    more_rounds, more_points = made_rows(number=3, adapters=("fs",), sizes_kb=(256,), depths=(1,))
    found = drift(Measured.of(source_of([*rounds, *more_rounds], [*points, *more_points])))
    assert max(found.series[0].elapsed_s) < timedelta(hours=1).total_seconds()


def test_nothing_measured_is_a_sentence() -> None:
    _, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    for row in points:
        row["status"] = "crashed"
    found = drift(Measured.of(source_of([], points)))
    assert found.series == found.phases == ()
    assert found.not_measured.startswith("Not measured: ")
