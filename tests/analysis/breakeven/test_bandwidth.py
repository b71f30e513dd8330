"""The throughput at a size and a depth: measured, or between measured neighbours, and nowhere else."""

from __future__ import annotations

import math

import pytest
from made_tiers import SPREAD, Rates, tier_frame

from l2sweep.analysis.breakeven.bandwidth import INTERPOLATED, MEASURED, SAME_DEPTH, Curve, Estimate
from l2sweep.analysis.tune.settings import settings

RATES: Rates = {(1024, 4, 1): 100.0, (1024, 16, 1): 400.0, (4096, 4, 1): 300.0, (4096, 16, 1): 1200.0}


def curve(rates: Rates = RATES, **changes: object) -> Curve:
    return Curve.of(settings(tier_frame(rates, **changes), "load", "cold"))


def estimate(of: Curve, size_kb: int, keys: int, in_flight: int = 1) -> Estimate:
    found = of.at(size_kb, keys, in_flight)
    assert isinstance(found, Estimate), found
    return found


def test_a_measured_place_has_the_median_of_its_processes_and_their_interval() -> None:
    found = estimate(curve(), 1024, 16)
    assert found.value == pytest.approx(400)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((400 * SPREAD[0], 400 * SPREAD[2]))
    assert found.basis == MEASURED
    assert [one.num_keys for one in found.neighbours] == [16]


def test_between_two_depths_the_logarithm_is_linear_in_the_logarithm() -> None:
    found = estimate(curve(), 1024, 8)
    assert found.value == pytest.approx(200)
    assert found.basis == INTERPOLATED
    assert [one.num_keys for one in found.neighbours] == [4, 16]


def test_between_two_sizes_and_two_depths_four_neighbours_count() -> None:
    found = estimate(curve(), 2048, 8)
    assert found.value == pytest.approx(math.sqrt(200 * 600))
    assert len(found.neighbours) == 4


def test_the_interval_between_neighbours_is_that_of_both() -> None:
    found = estimate(curve(), 1024, 8)
    assert found.interval is not None
    assert 200 * SPREAD[0] <= found.interval.low < 200 < found.interval.high <= 200 * SPREAD[2] * 1.001


@pytest.mark.parametrize(
    ("size_kb", "keys", "reason"),
    [
        (1024, 2, "2 keys of 1024 KiB in flight: only 4 to 16 of 1024 KiB were measured"),
        (1024, 17, "17 keys of 1024 KiB in flight: only 4 to 16 of 1024 KiB were measured"),
        (512, 4, "keys of 512 KiB: only 1024 to 4096 KiB were measured"),
        (8192, 4, "keys of 8192 KiB: only 1024 to 4096 KiB were measured"),
    ],
)
def test_nothing_is_read_beyond_what_was_measured(size_kb: int, keys: int, reason: str) -> None:
    assert curve().at(size_kb, keys, 1) == reason


def test_as_many_keys_in_other_submits_are_called_the_same_depth() -> None:
    found = estimate(curve(), 1024, 4, 4)
    assert found.value == pytest.approx(400)
    assert found.basis == SAME_DEPTH


def test_of_two_settings_with_one_depth_the_one_with_the_nearest_submits_in_flight_counts() -> None:
    both = curve({**RATES, (1024, 4, 4): 500.0})
    assert estimate(both, 1024, 4, 4).value == pytest.approx(500)
    assert estimate(both, 1024, 16, 1).value == pytest.approx(400)
    assert estimate(both, 1024, 8, 2).value in (pytest.approx(400), pytest.approx(500))


def test_a_size_that_was_not_measured_at_this_depth_is_no_neighbour() -> None:
    found = curve({**RATES, (2048, 64, 1): 900.0}).at(2048, 8, 1)
    assert isinstance(found, Estimate)
    assert {one.data_size_kb for one in found.neighbours} == {1024, 4096}


def test_a_setting_with_two_processes_has_no_interval() -> None:
    assert estimate(curve(spread=(0.9, 1.0)), 1024, 4).interval is None


def test_a_setting_of_which_a_process_failed_is_not_used() -> None:
    rounds = tier_frame(RATES)
    rounds.loc[(rounds["point_index"] == 0) & ~rounds["is_warmup"], "status"] = "error"
    found = Curve.of(settings(rounds, "load", "cold"))
    assert found.failed == 1
    assert found.at(1024, 4, 1) == "4 keys of 1024 KiB in flight: only 16 of 1024 KiB were measured"
