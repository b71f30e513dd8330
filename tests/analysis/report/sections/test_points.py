"""Tests of l2sweep.analysis.report.sections.points: the numbers are computed again from the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_reports import made_rows, made_source, source_of
from sample_rows import timed_out

from l2sweep.analysis.report.measured import Measured

MIB = 2**20


def nearest_rank(values: list[float], percent: float) -> float | None:
    """Return a percentile by the nearest rank; None where the rank is that of the maximum."""
    rank = math.ceil(round(percent * len(values) / 100, 9))
    if rank >= len(values):
        return None
    if percent == 50 and len(values) % 2 == 0:
        return float(np.median(values))
    return sorted(values)[rank - 1]


def test_every_number_of_the_table_follows_from_the_rows() -> None:
    source = made_source(repeats=6)
    rows = Measured.of(source).points
    rounds = source.rounds.assign(state=source.rounds["cache_state"].fillna(""))
    groups = {key: own for key, own in rounds.groupby(["point_id", "phase", "state"])}  # noqa: C416
    assert {(row.point_id, row.phase, row.cache_state or "") for row in rows} == set(groups)
    for row in rows:
        own = groups[row.point_id, row.phase, row.cache_state or ""]
        medians = sorted(own.groupby("point_index")["duration_s"].median())
        assert (row.processes, row.measured_processes, row.failed_processes) == (6, 6, 0)
        assert (row.rounds, row.ok_rounds, row.failed_rounds) == (36, 36, 0)
        assert row.median_s == pytest.approx(np.median(medians))
        assert (row.median_low_s, row.median_high_s) == pytest.approx((medians[0], medians[-1]))
        durations = own["duration_s"].tolist()
        for percent, value in ((50, row.p50_s), (95, row.p95_s), (99, row.p99_s)):
            assert value == pytest.approx(nearest_rank(durations, percent))
        latencies = np.concatenate(own["submit_latency_s"].tolist()).tolist()
        submits = (row.submit_p50_s, row.submit_p95_s, row.submit_p99_s)
        assert submits == pytest.approx(tuple(nearest_rank(latencies, percent) for percent in (50, 95, 99)))
        total_s = own["duration_s"].sum()
        if row.phase == "lookup":
            assert row.mib_per_s is None
            assert row.keys_per_s == pytest.approx(own["keys_requested"].sum() / total_s)
            assert row.actual_hit_rate == pytest.approx(0.5)
        else:
            assert row.mib_per_s == pytest.approx(own["bytes_ok"].sum() / MIB / total_s)
            assert row.keys_per_s == pytest.approx(own["keys_ok"].sum() / total_s)
        assert row.status == "ok"
        assert row.lower_bounds == ()


def test_the_table_begins_with_loads_and_ends_with_controls() -> None:
    rows = Measured.of(made_source()).points
    assert [row.phase for row in rows] == sorted(
        (row.phase for row in rows), key=["load", "store", "lookup"].index
    )
    loads = [row.adapter for row in rows if row.phase == "load"]
    assert loads == sorted(loads, key=["fs", "fs_native", "fio"].index)
    assert {row.adapter for row in rows if row.is_control} == {"fio"}


def test_a_round_that_timed_out_makes_numbers_lower_bounds_and_a_state() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,), repeats=1)
    last = next(row for row in reversed(rounds) if row["phase"] == "load")
    known = {name: last[name] for name in ("point_id", "sweep_id", "data_size_kb", "in_flight", "round")}
    late = timed_out("load", **{name: value for name, value in known.items() if name != "round"})
    late.update(round=last["round"], adapter_spec=last["adapter_spec"], rounds=6)
    rounds[rounds.index(last)] = late
    points[0].update(status="failed", detail="1 of 6 rounds timed out")
    load = next(row for row in Measured.of(source_of(rounds, points)).points if row.phase == "load")
    assert load.timed_out_rounds == 1
    assert load.failed_processes == 1
    assert load.status == "1 of 6 rounds not ok"


def test_counts_are_whole_numbers_although_pandas_reads_floats() -> None:
    row = Measured.of(made_source()).points[0]
    for name in ("rounds", "processes", "mismatched_keys", "num_keys", "data_size_kb"):
        assert isinstance(getattr(row, name), int), name


def test_a_phase_that_was_never_reached_has_a_row_without_numbers() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,), repeats=1)
    rounds = [row for row in rounds if row["phase"] == "store"]
    points[0].update(status="crashed", detail="signal 11")
    rows = {row.phase: row for row in Measured.of(source_of(rounds, points)).points}
    assert rows["load"].rounds == 0
    assert rows["load"].median_s is None
    assert "crashed" in rows["lookup"].status
    assert rows["load"].p50_s is None
