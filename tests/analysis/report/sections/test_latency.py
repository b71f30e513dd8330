"""Tests of l2sweep.analysis.report.sections.latency: computed again from the rows."""

from __future__ import annotations

import numpy as np
import pytest
from made_reports import DEPTHS, made_rows, made_source, source_of

from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections import latency as latencies
from l2sweep.analysis.report.sections.latency import MOST_VALUES, latency


def test_a_distribution_is_that_of_all_submits_of_its_rounds() -> None:
    source = made_source(adapters=("fs",), sizes_kb=(256, 1024))
    found = latency(Measured.of(source))
    assert found.all_curves == len(found.curves) == 2 * 3 * 3
    assert found.choice == ""
    for curve in found.curves:
        rows = source.rounds
        for name in ("phase", "data_size_kb", "in_flight"):
            rows = rows[rows[name] == getattr(curve, name)]
        values = np.sort(np.concatenate(rows["submit_latency_s"].tolist()))
        assert (curve.submits, curve.unfinished) == (len(values), 0)
        assert curve.latency_s == pytest.approx(values.tolist())
        assert curve.fraction == pytest.approx((np.arange(len(values)) + 1) / len(values))


def test_a_long_distribution_is_thinned_and_keeps_its_ends() -> None:
    source = made_source(adapters=("fs",), sizes_kb=(256,), depths=(4,), rounds=200)
    (load,) = [one for one in latency(Measured.of(source)).curves if one.phase == "load"]
    values = np.sort(np.concatenate(source.rounds.query("phase == 'load'")["submit_latency_s"].tolist()))
    assert load.submits == len(values) == 2400
    assert len(load.latency_s) == MOST_VALUES
    assert (load.latency_s[0], load.latency_s[-1]) == (values[0], values[-1])
    for value, fraction in zip(load.latency_s, load.fraction, strict=True):
        assert fraction == pytest.approx((values <= value).mean())


def test_a_submit_that_timed_out_is_in_the_sample_and_never_reached() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(2,), repeats=1)
    late = next(row for row in rounds if row["phase"] == "load")
    late.update(status="timeout", duration_s=None, submit_latency_s=[0.1], submit_unfinished_s=[1.0])
    (load,) = [one for one in latency(Measured.of(source_of(rounds, points))).curves if one.phase == "load"]
    assert (load.submits, load.unfinished) == (12, 1)
    assert len(load.latency_s) == 11
    assert load.fraction[-1] == pytest.approx(11 / 12)
    assert 1.0 not in load.latency_s


def test_more_points_than_are_legible_show_the_fastest_of_each_adapter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latencies, "MOST_CURVES", 6)
    measured = Measured.of(made_source(adapters=("fs", "fio")))
    found = latency(measured)
    assert len(found.curves) == 5
    assert found.choice.startswith("Shown: 5 of 45 points and phases, the one with the most throughput")
    for curve in found.curves:
        if curve.phase != "lookup":
            rates = {
                (row.data_size_kb, row.in_flight): row.mib_per_s or 0
                for row in measured.points
                if (row.adapter, row.phase) == (curve.adapter, curve.phase)
            }
            assert rates[curve.data_size_kb, curve.in_flight] == max(rates.values())


def test_percentiles_against_depth_refer_to_points_in_the_order_of_depth() -> None:
    measured = Measured.of(made_source(adapters=("fs",)))
    found = latency(measured)
    assert len(found.by_depth) == 3 * 3
    for one in found.by_depth:
        own = [measured.points[place] for place in one.points]
        assert [row.in_flight for row in own] == list(DEPTHS)
        assert len({(row.phase, row.data_size_kb, row.num_keys) for row in own}) == 1
        assert all(row.submit_p50_s is not None for row in own)
        assert one.label == f"data_size_kb={own[0].data_size_kb}"


def test_one_depth_has_a_sentence_instead_of_a_figure() -> None:
    found = latency(Measured.of(made_source(adapters=("fs",), depths=(2,))))
    assert found.by_depth == ()
    (sentence,) = found.not_measured
    assert sentence.startswith("Not measured: submit latency against depth.")
