"""Tests of l2sweep.analysis.report.sections.compared: computed again from the rows."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from made_nights import small_night
from made_sweeps import MadeSweep, Rows, together

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.history.changes import histories
from l2sweep.analysis.report.contents.compared import Nights
from l2sweep.analysis.report.sections import compared as sections
from l2sweep.analysis.report.sections.compared import compared, nights

SLOW = {("fs", "load", 8192): 1.3}


def result_of(base: Rows, candidate: Rows) -> ComparisonResult:
    return compare_tables([base[0], candidate[0]], [base[1], candidate[1]], controls=CONTROLS)


def medians(rounds: pa.Table) -> pd.Series:
    frame = rounds.to_pandas()
    of_processes = frame.groupby(["adapter_type", "phase", "data_size_kb", "point_index"])[
        "duration_s"
    ].median()
    return of_processes.groupby(level=[0, 1, 2]).median()


def test_every_ratio_follows_from_the_rows() -> None:
    base, candidate = small_night(0, repeats=6).rows(), small_night(1, repeats=6, factors=SLOW).rows()
    result = result_of(base, candidate)
    found = compared(result)
    assert found is not None
    assert found.headline == result.headline
    assert found.verdict == "slower"
    before, after = medians(base[0]), medians(candidate[0])
    single = [row for row in found.rows if not row.is_total]
    assert found.all_points == len(single) == 8
    of_result = {
        (one.point.adapter, one.point.phase, one.point.data_size_kb): one
        for one in (*result.points, *result.controls)
    }
    for row in single:
        size_kb = int(row.name.split(" at ")[1].split(" KiB")[0])
        key = (row.adapter, row.phase, size_kb)
        assert row.base_s == pytest.approx(before[key])
        assert row.candidate_s == pytest.approx(after[key])
        assert row.ratio == pytest.approx(after[key] / before[key], rel=0.02)
        assert row.low <= row.ratio <= row.high
        one = of_result[key]
        assert (row.ratio, row.low, row.high, row.q) == (one.ratio, one.low, one.high, one.q)
        assert row.verdict == one.verdict
    totals = [row for row in found.rows if row.is_total]
    assert [row.is_total for row in found.rows] == [True] * len(totals) + [False] * len(single)
    for row in totals:
        own = [one.ratio for one in single if (one.adapter, one.phase) == (row.adapter, row.phase)]
        assert row.points == len(own) == 2
        assert row.ratio == pytest.approx(np.exp(np.mean(np.log(own))))


def test_the_largest_change_is_first_and_controls_are_last() -> None:
    found = compared(result_of(small_night(0).rows(), small_night(1, factors=SLOW).rows()))
    assert found is not None
    single = [row for row in found.rows if not row.is_total]
    assert single[0].name == "fs load at 8192 KiB, 1 in flight"
    assert [row.is_control for row in single] == [False] * 4 + [True] * 4


def test_more_ratios_than_are_legible_are_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "MOST_ROWS", 5)
    found = compared(result_of(small_night(0).rows(), small_night(1).rows()))
    assert found is not None
    assert len(found.rows) == 5
    assert found.notes[0].startswith("Shown: 5 of 12 ratios")


def test_what_is_only_on_one_side_or_fails_now_is_said() -> None:
    base = small_night(0, sizes_kb=(4096, 8192)).rows()
    rounds, points = small_night(1, sizes_kb=(4096, 16384)).lists()
    for row in rounds:
        if (row["adapter_type"], row["phase"], row["data_size_kb"]) == ("fs", "load", 4096):
            row.update(status="error", detail="wrong bytes")
    from made_sweeps import tables

    found = compared(result_of(base, tables(rounds, points)))
    assert found is not None
    assert found.new_failures == ("fs load fails in 3 processes: 2 rounds: error: wrong bytes",)
    text = "\n".join(found.notes)
    assert "3 processes of the candidate failed and count nowhere" in text
    assert "only in the base, and not compared" in text
    assert "only in the candidate, and not compared" in text


def history(number: int, **changes: object) -> Nights | None:
    written = [
        MadeSweep(
            night,
            adapters=("fs",),
            sizes_kb=(4096, 8192),
            depths=(1,),
            rounds=2,
            **changes if night >= 8 else {},
        )  # type: ignore[arg-type]
        for night in range(number)
    ]
    rounds, points = together(*(one.rows() for one in written))
    began = {f"night-{night:03}": datetime(2026, 11, 1 + night, tzinfo=UTC) for night in range(number)}
    return nights(histories(rounds, lambda: points), began)


def test_the_history_of_a_point_follows_from_the_rows() -> None:
    found = history(12, factors=SLOW, changes={"lmcache_version": "0.5.7"})
    assert found is not None
    assert (found.all_series, found.changed, found.note) == (4, 1, "")
    assert found.began[0] == "2026-11-01T00:00:00+00:00"
    loud = found.series[0]
    assert loud.name == "fs load at 8192 KiB, 1 in flight"
    for night in range(12):
        changed = {"factors": SLOW} if night >= 8 else {}
        rows = MadeSweep(
            night,
            adapters=("fs",),
            sizes_kb=(4096, 8192),
            depths=(1,),
            rounds=2,
            **changed,  # type: ignore[arg-type]
        ).rows()
        assert loud.duration_s[night] == pytest.approx(medians(rows[0])["fs", "load", 8192])
    (change,) = loud.changes
    assert (found.sweep_ids[change.night], change.date) == ("night-008", "2026-11-09")
    assert change.before_s == pytest.approx(np.median(loud.duration_s[:8]))
    assert change.after_s == pytest.approx(np.median(loud.duration_s[8:]))
    assert change.percent == pytest.approx(100 * (change.after_s / change.before_s - 1))
    assert change.environment == ("LMCache 0.5.6 → 0.5.7",)


def test_few_nights_have_no_changes_and_say_so_and_one_night_is_no_history() -> None:
    few = history(3)
    assert few is not None
    assert few.changed == 0
    assert few.note == "4 of 4 series have fewer than 8 nights, too few to find a change of the level."
    assert history(1) is None


def test_no_base_is_no_comparison() -> None:
    assert compared(None) is None
