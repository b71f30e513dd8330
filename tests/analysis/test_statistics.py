"""Tests of l2sweep.analysis.statistics: bytes that did not move in time never increase a throughput."""

from __future__ import annotations

import random
import statistics
from fractions import Fraction

import pytest
from sample_rows import MIB, nothing_moved, round_row, timed_out

from l2sweep.analysis.statistics import percentile, standard_deviation, summarise


def smallest_that_covers(values: list[float], percent: int) -> float:
    """Return a nearest-rank percentile by its definition: the least value with enough values up to it."""
    share = Fraction(percent, 100)
    return min(x for x in values if Fraction(sum(y <= x for y in values), len(values)) >= share)


def test_percentiles_follow_the_nearest_rank_method() -> None:
    source = random.Random(1)
    for _ in range(150):
        values = [float(source.randrange(1000)) for _ in range(source.randrange(1, 130))]
        for percent in (1, 25, 50, 75, 90, 95, 99):
            shown = percentile(values, percent)
            assert shown is None or shown == smallest_that_covers(values, percent)


def test_rounding_errors_do_not_change_the_rank() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, percent) for percent in range(1, 100)] == values[:99]
    values = [float(value) for value in range(1, 1001)]
    assert percentile(values, 16.1) == 161  # 16.1 * 1000 / 100 is 161.00000000000003


def test_a_percentile_that_equals_the_maximum_by_rank_is_none() -> None:
    for size in range(1, 301):
        values = [float(value) for value in range(size)]
        for percent in (50, 99):
            is_maximum = smallest_that_covers(values, percent) == values[-1]
            assert (percentile(values, percent) is None) == is_maximum, (size, percent)


def test_p99_needs_100_values_and_the_median_needs_2() -> None:
    assert percentile([1.0] * 99, 99) is None
    assert percentile([*[1.0] * 99, 5.0], 99) == 1.0
    assert percentile([], 50) is None
    assert percentile([3.0], 50) is None
    assert percentile([3.0, 1.0], 50) == 1.0


def test_a_percentile_does_not_change_the_order_of_its_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert percentile(values, 50) == 3.0
    assert values == [5.0, 1.0, 4.0, 2.0, 3.0]


def test_a_standard_deviation_needs_two_values_and_divides_by_n_minus_1() -> None:
    assert standard_deviation([]) is None
    assert standard_deviation([2.0]) is None
    assert standard_deviation([1.0, 3.0]) == pytest.approx(2**0.5)


def test_throughput_is_total_bytes_over_total_time() -> None:
    rounds = [round_row("store", 1, duration_s=0.01), round_row("store", 2, duration_s=1.99)]
    summary = summarise("store", rounds)
    assert summary.mib_per_s == pytest.approx(4 / 2.0)
    assert summary.mib_per_s_min == pytest.approx(2 / 1.99)
    assert summary.mib_per_s_max == pytest.approx(2 / 0.01)
    mean_of_rates = statistics.mean([2 / 0.01, 2 / 1.99])
    assert mean_of_rates > 50 * (4 / 2.0)
    assert summary.keys_per_s == pytest.approx(16 / 2.0)
    assert summary.latency_per_key_s == pytest.approx(2.0 / 16)


def test_only_moved_bytes_count() -> None:
    partial = round_row("store", status="partial", keys_ok=2, bytes_ok=MIB // 2)
    summary = summarise("store", [partial])
    assert summary.mib_per_s == pytest.approx(1.0)
    assert summary.keys_per_s == pytest.approx(4.0)
    assert summary.total_keys == 8
    assert summary.total_ok == 2
    assert summary.ok_rounds == 0
    assert summary.status == "1 of 1 rounds not ok"


def test_a_round_that_timed_out_has_no_duration_and_no_throughput() -> None:
    summary = summarise("load", [timed_out("load", 1), round_row("load", 2)])
    assert summary.rounds == 2
    assert summary.timed_out_rounds == 1
    assert summary.durations_s == (0.5,)
    assert summary.mib_per_s == pytest.approx(2 / 0.5)
    assert summary.keys_per_s == pytest.approx(8 / 0.5)
    assert summary.total_keys == 16
    assert summary.submit_latency_s == (0.25, 0.25, 0.5)
    assert summary.status == "1 of 2 rounds not ok"


def test_a_phase_whose_rounds_all_timed_out_has_no_throughput() -> None:
    summary = summarise("store", [timed_out("store", 1), timed_out("store", 2)])
    assert summary.durations_s == ()
    speeds = (summary.mib_per_s, summary.mib_per_s_min, summary.mib_per_s_max, summary.keys_per_s)
    assert speeds == (None, None, None, None)
    assert summary.latency_per_key_s is None


@pytest.mark.parametrize("phase", ["store", "load"])
def test_a_phase_that_moved_nothing_has_zero_throughput(phase: str) -> None:
    summary = summarise(phase, [nothing_moved(phase, number) for number in (1, 2)])
    assert summary.mib_per_s == 0
    assert summary.mib_per_s_max == 0
    assert summary.keys_per_s == 0
    assert summary.latency_per_key_s is None


def test_the_duration_of_a_round_that_moved_nothing_counts() -> None:
    summary = summarise("load", [round_row("load", 1), nothing_moved("load", 2, duration_s=1.5)])
    assert summary.mib_per_s == pytest.approx(2 / 2.0)
    assert summary.mib_per_s_min == 0


def test_warm_up_rounds_do_not_count() -> None:
    measured = [round_row("load", 1), round_row("load", 3, duration_s=1.0)]
    warmup = timed_out("load", 2, is_warmup=True, verified_keys=3, mismatched_keys=3)
    slow = round_row("load", 4, is_warmup=True, duration_s=50.0, keys_requested=99, submit_latency_s=[9.0])
    assert summarise("load", [measured[0], warmup, measured[1], slow]) == summarise("load", measured)
    assert summarise("load", [warmup, slow]).rounds == 0


def test_rounds_of_other_phases_do_not_count() -> None:
    rows = [round_row("store", 1), round_row("load", 2, duration_s=9.0), round_row("lookup", 3)]
    assert summarise("store", rows) == summarise("store", rows[:1])


def test_a_lookup_has_no_throughput_and_its_misses_are_answers() -> None:
    summary = summarise("lookup", [round_row("lookup", 1), round_row("lookup", 2, keys_ok=3)])
    assert (summary.mib_per_s, summary.mib_per_s_min, summary.mib_per_s_max) == (None, None, None)
    assert summary.keys_per_s == pytest.approx(16 / 1.0)
    assert summary.expected_hits == 8
    assert summary.actual_hit_rate == pytest.approx(7 / 16)


def test_only_lookups_have_a_hit_rate() -> None:
    store = summarise("store", [round_row("store")])
    assert store.actual_hit_rate is None
    assert store.expected_hits == 0
    assert summarise("lookup", [round_row("lookup", keys_expected=0, keys_ok=0)]).actual_hit_rate == 0


def test_a_phase_without_rounds_has_no_numbers() -> None:
    summary = summarise("load", [])
    assert summary.rounds == summary.keys_per_round == summary.total_keys == 0
    speeds = (summary.mib_per_s, summary.keys_per_s, summary.latency_per_key_s, summary.actual_hit_rate)
    assert speeds == (None, None, None, None)


def test_verified_and_mismatched_keys_are_summed() -> None:
    rows = [round_row("load", 1), round_row("load", 2, status="partial", keys_ok=5, mismatched_keys=3)]
    summary = summarise("load", rows)
    assert (summary.verified_keys, summary.mismatched_keys) == (16, 3)


def test_flushes_have_a_mean_and_reduce_the_durable_throughput() -> None:
    rounds = [round_row("store", 1, flush_s=0.5), round_row("store", 2, flush_s=1.5)]
    not_flushed = round_row("store", 3, flush_s=None)
    summary = summarise("store", [*rounds, not_flushed])
    assert summary.flush_s == pytest.approx(1.0)
    assert summary.durable_mib_per_s == pytest.approx(4 / (0.5 + 0.5 + 0.5 + 1.5))
    assert summarise("store", [not_flushed]).durable_mib_per_s is None


def test_different_cache_states_are_joined() -> None:
    rounds = [
        round_row("load", number, cache_state=state) for number, state in enumerate(["warm", "cold", None])
    ]
    assert summarise("load", rounds).cache_state == "cold/warm"
    assert summarise("load", rounds[2:]).cache_state is None


def test_the_status_is_ok_if_every_round_is_ok() -> None:
    assert summarise("load", [round_row("load")]).status == "ok"
