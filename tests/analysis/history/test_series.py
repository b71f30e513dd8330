"""Tests of l2sweep.analysis.history.series."""

from __future__ import annotations

import math
import statistics
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from made_sweeps import MadeSweep, tables, together
from sample_rows import auto_point_row, round_row

from l2sweep.analysis.history.series import night_values

FIRST = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)


def process(night: int, durations_s: list[float], **changes: Any) -> list[dict[str, Any]]:
    """Return the rounds of one load phase, after a slow warm-up round."""
    own = {"sweep_id": f"night-{night}", "started_at": FIRST + timedelta(days=night), **changes}
    own = {"rounds": len(durations_s), "phase": "load", **own}
    warm_up = round_row(number=1, is_warmup=True, duration_s=9.0, **own)
    measured = (
        round_row(number=2 + index, duration_s=duration_s, **own)
        for index, duration_s in enumerate(durations_s)
    )
    return [warm_up, *measured]


def values(
    *rows: list[dict[str, Any]], points: list[dict[str, Any]] | None = None
) -> dict[tuple[str, str, str | None], list[float | None]]:
    """Return the values; without ``points``, reading them fails the test."""
    table, point_table = tables([row for some in rows for row in some], points or [])
    found = night_values(table, lambda: pytest.fail("points were read") if points is None else point_table)
    return {
        (point.point_id, point.phase, point.cache_state): [None if math.isnan(one) else one for one in row]
        for point, row in zip(found.points, found.duration_s.tolist(), strict=True)
    }


KEY = ("0123456789abcdef", "load", "cold")


def test_the_value_of_a_night_is_the_median_of_the_medians_of_its_processes() -> None:
    processes = [[1.0, 2.0, 9.0], [3.0, 4.0, 5.0], [8.0, 8.0, 8.0]]
    rows = [process(0, durations_s, point_index=index) for index, durations_s in enumerate(processes)]
    expected = statistics.median(statistics.median(durations_s) for durations_s in processes)
    assert values(*rows) == {KEY: [expected]}
    assert expected == 4.0


def test_nights_are_in_the_order_of_their_start() -> None:
    assert values(process(10, [1.0]), process(9, [2.0])) == {KEY: [2.0, 1.0]}


def test_cold_and_warm_nights_are_two_series() -> None:
    found = values(process(0, [1.0]), process(1, [0.1], cache_state="warm"))
    assert found == {KEY: [1.0, None], (*KEY[:2], "warm"): [None, 0.1]}


def test_a_process_whose_rounds_differ_in_their_state_has_a_series_of_its_own() -> None:
    mixed = process(0, [1.0, 3.0])
    mixed[-1]["cache_state"] = "warm"
    assert values(mixed, process(1, [2.0])) == {KEY: [None, 2.0], (*KEY[:2], "cold/warm"): [2.0, None]}


def test_a_process_that_is_not_complete_and_ok_has_no_value() -> None:
    failed = process(0, [0.1, 0.1], point_index=0)
    failed[-1]["status"] = "error"
    crashed = process(0, [0.2], point_index=1, rounds=3)
    whole = process(0, [5.0, 5.0], point_index=2)
    assert values(failed, crashed, whole, points=[])[KEY] == [5.0]


def test_a_process_of_open_rounds_has_a_value_if_its_phase_came_to_its_end() -> None:
    ended = process(0, [5.0, 5.0], rounds=50)
    cut_off = process(1, [0.1, 0.1], rounds=50)
    points = [
        auto_point_row(sweep_id="night-0", phase="all"),
        auto_point_row(sweep_id="night-1", phase="all", status="crashed", load_rounds_ended_by=None),
    ]
    assert values(ended, cut_off, points=points)[KEY] == [5.0, None]


def test_only_the_last_attempt_counts_and_no_profiled_process() -> None:
    rows = [process(0, [1.0], attempt=1), process(0, [2.0], attempt=2)]
    profiled = process(0, [7.0], point_index=3, profile="wall")
    assert values(*rows, profiled) == {KEY: [2.0]}


def test_a_store_without_a_cache_state_has_a_series() -> None:
    assert values(process(0, [1.0], phase="store", cache_state=None)) == {(KEY[0], "store", None): [1.0]}


def test_the_values_are_those_of_pandas() -> None:
    table, _ = together(*(MadeSweep(number, phases=("store", "load")).rows() for number in range(4)))
    rows = table.to_pandas()
    medians = rows.groupby(["sweep_id", "point_id", "phase", "repeat"])["duration_s"].median()
    expected = medians.groupby(["point_id", "phase", "sweep_id"]).median()
    found = night_values(table, lambda: pytest.fail("points were read"))
    assert found.nights == ("night-000", "night-001", "night-002", "night-003")
    for point, row in zip(found.points, found.duration_s, strict=True):
        assert row.tolist() == pytest.approx(expected[point.point_id, point.phase].tolist())
    assert len(found.points) * 4 == len(expected)


def test_replays_of_a_trace_are_left_out() -> None:
    replay = [
        {**row, "trace": "a.jsonl 0123456789ab", "second": 0} for row in process(0, [9.0], point_index=1)
    ]
    assert values(process(0, [1.0]), replay) == {KEY: [1.0]}
