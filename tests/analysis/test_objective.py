"""Tests of l2sweep.analysis.objective."""

from __future__ import annotations

import math

import pytest
from sample_rows import round_row, timed_out

from l2sweep.analysis.objective import OBJECTIVES, objective


def test_the_objective_is_computed_from_the_measured_rounds_of_its_phase() -> None:
    rows = [
        round_row(phase="load", is_warmup=True, duration_s=9.0, bytes_ok=2**20),
        round_row(phase="load", is_warmup=False, duration_s=1.0, bytes_ok=2**20),
        round_row(phase="load", is_warmup=False, duration_s=3.0, bytes_ok=2**20),
        round_row(phase="store", is_warmup=False, duration_s=0.5, bytes_ok=2**20),
    ]
    assert objective("load_mib_per_s", rows) == 0.5
    assert objective("store_mib_per_s", rows) == 2.0
    assert objective("load_duration_p50_s", rows) == 2.0


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_objective_of_a_point_without_rounds_is_nan(name: str) -> None:
    assert math.isnan(objective(name, []))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store_keys_per_s", 16.0),
        ("lookup_keys_per_s", 16.0),
        ("load_duration_p50_s", 0.5),
        ("lookup_submit_p50_s", 0.375),
    ],
)
def test_objectives_of_three_equal_rounds(name: str, value: float) -> None:
    phase = name.partition("_")[0]
    assert objective(name, [round_row(phase, number) for number in (1, 2, 3)]) == value


def test_a_percentile_of_too_few_rounds_is_nan() -> None:
    assert math.isnan(objective("load_submit_p99_s", [round_row("load", number) for number in range(10)]))


def test_an_objective_that_is_only_a_lower_bound_is_nan() -> None:
    rows = [round_row("load", 1), *(timed_out("load", number) for number in (2, 3))]
    assert math.isnan(objective("load_duration_p50_s", rows))
    both_late = timed_out("load", 4, submit_latency_s=[], submit_unfinished_s=[1.0, 1.0])
    assert math.isnan(objective("load_submit_p50_s", [round_row("load", 1), both_late]))
    assert objective("load_submit_p50_s", rows) == 0.375  # the time-outs are above it: it is exact


def test_time_outs_reduce_a_throughput() -> None:
    rows = [round_row("load", 1), timed_out("load", 2)]
    assert objective("load_mib_per_s", rows) == pytest.approx(3 / 1.5)
    assert objective("load_keys_per_s", rows) == pytest.approx(12 / 1.5)


def test_lookups_have_no_throughput_in_bytes() -> None:
    assert "lookup_mib_per_s" not in OBJECTIVES
    assert len(OBJECTIVES) == 3 * 5 - 1


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name.startswith("store")])
def test_a_store_that_its_load_proves_wrong_has_no_objective(name: str) -> None:
    rows = [round_row("store", number) for number in range(200)]
    assert not math.isnan(objective(name, rows))
    rows[7] |= {"status": "unconfirmed", "keys_ok": 0, "bytes_ok": 0}
    assert math.isnan(objective(name, rows))
