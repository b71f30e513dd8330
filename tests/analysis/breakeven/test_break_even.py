"""Loading compared with computing: each number follows from the rates that the rows were made of."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from made_tiers import MODEL, SPREAD, Rates, tier_frame, tier_rows
from sample_curves import frame
from sample_rows import MIB, point_row

from l2sweep.analysis.breakeven.bandwidth import INTERPOLATED, MEASURED
from l2sweep.analysis.breakeven.break_even import BreakEven, break_even
from l2sweep.analysis.breakeven.cost import Prices
from l2sweep.analysis.breakeven.prefill import ASSUMED, Prefill, PrefillTime
from l2sweep.errors import RequestError

# 1024 tokens are 4 keys of 1 MiB, 4096 tokens are 16.
RATES: Rates = {(1024, 4, 1): 4.0, (1024, 16, 1): 64.0}
FLAT = Prefill(PrefillTime(1e-3, 0.0), PrefillTime(2e-3, 0.0), ASSUMED, 2, mfu=(0.3, 0.6), peak_flops=1e12)
"""1 to 2 ms a token."""


def found(rates: Rates = RATES, **changes: Any) -> BreakEven:
    shared = {name: changes.pop(name) for name in ("lookup_keys_s", "spread") if name in changes}
    return break_even(tier_frame(rates, **shared), **{"model": MODEL, "prefill": FLAT, **changes})


def test_a_length_whose_depth_was_measured_loads_at_the_measured_rate() -> None:
    (tier,) = found().tiers
    first = tier.lengths[0]
    assert first.tokens == 1024
    assert first.load is not None
    assert first.load.load_s == pytest.approx(4 / 4.0)
    assert first.load.interval is not None
    assert (first.load.interval.low, first.load.interval.high) == pytest.approx(
        (1 / SPREAD[2], 1 / SPREAD[0])
    )
    assert first.load.basis == MEASURED
    assert first.load.request_gb_s == pytest.approx(4.0 * MIB / 1e9)


def test_a_length_between_measured_depths_is_marked_and_one_beyond_is_not_known() -> None:
    lengths = {length.tokens: length for length in found().tiers[0].lengths}
    between = lengths[2048].load
    assert between is not None
    assert between.basis == INTERPOLATED
    assert between.load_s == pytest.approx(8 / 16.0)
    for tokens in (8192, 131072):
        assert lengths[tokens].load is None
        keys = tokens // 256
        assert lengths[tokens].not_known == (
            f"{keys} keys of 1024 KiB in flight: only 4 to 16 of 1024 KiB were measured"
        )
        assert lengths[tokens].fast.both_s is None
        assert lengths[tokens].fast.prefill_s == pytest.approx(tokens * 1e-3)


def test_the_needed_bandwidth_and_the_overlapped_time_follow_their_formulas() -> None:
    length = found().tiers[0].lengths[2]
    assert length.tokens == 4096
    assert length.load is not None
    load_s = 16 / 64.0
    for compared, prefill_s in ((length.fast, 4.096), (length.slow, 8.192)):
        assert compared.prefill_s == pytest.approx(prefill_s)
        assert compared.needed_gb_s == pytest.approx(16 * MIB / prefill_s / 1e9)
        assert compared.both_s == pytest.approx(load_s * prefill_s / (load_s + prefill_s))
        assert compared.reuses_a_month is None


def test_the_crossing_is_the_first_chunk_from_which_on_loading_is_as_fast() -> None:
    """T_load(k keys) = k / (4 (k/4)^2) = 4 / k seconds: 64 times as many MiB/s at 4 times the depth."""
    (tier,) = found().tiers
    assert [one.tokens for one in tier.curve] == [256 * keys for keys in range(4, 17)]
    assert [one.load_s for one in tier.curve] == pytest.approx([4 / keys for keys in range(4, 17)])
    # 4 / k <= 0.256 k from k = 4 on, which is the first that was measured.
    assert tier.fast.tokens == 1024
    assert (tier.fast.first, tier.fast.last) == (1024, 4096)
    faster = Prefill(PrefillTime(1e-4, 0.0), PrefillTime(2e-4, 0.0), ASSUMED, 1, mfu=(0.3, 0.6))
    (tier,) = found(prefill=faster).tiers
    # 4 / k <= 0.0256 k from k = 12.5 on; 4 / k <= 0.0512 k from k = 8.8 on.
    assert (tier.fast.tokens, tier.slow.tokens) == (13 * 256, 9 * 256)
    assert tier.fast.has_interval
    assert tier.fast.low is not None
    assert tier.fast.high is not None
    # With the rates of all resampled medians at an end: 4 / (f k) <= 0.0256 k.
    assert tier.fast.low >= 256 * math.ceil(math.sqrt(4 / 0.0256 / SPREAD[2]))
    assert tier.fast.high <= 256 * math.ceil(math.sqrt(4 / 0.0256 / SPREAD[0]))
    assert tier.fast.low <= 13 * 256 <= tier.fast.high


def test_loading_that_is_slower_everywhere_has_no_crossing() -> None:
    fastest = Prefill(PrefillTime(1e-6, 0.0), PrefillTime(1e-6, 0.0), ASSUMED, 1, mfu=(0.5, 0.5))
    (tier,) = found(prefill=fastest).tiers
    assert tier.fast.tokens is None
    assert (tier.fast.low, tier.fast.high) == (None, None)
    assert (tier.fast.first, tier.fast.last) == (1024, 4096)


def test_loading_that_becomes_slower_again_says_from_where_on() -> None:
    rates: Rates = {(1024, 4, 1): 4.0, (1024, 8, 1): 64.0, (1024, 16, 1): 4.0}
    (tier,) = found(rates, prefill=Prefill(PrefillTime(5e-4, 0.0), PrefillTime(5e-4, 0.0), ASSUMED, 1)).tiers
    assert tier.fast.tokens is not None
    assert tier.fast.lost_at is not None
    assert tier.fast.tokens < 2048 < tier.fast.lost_at <= 4096
    by_tokens = {one.tokens: one.load_s for one in tier.curve}
    assert by_tokens[tier.fast.lost_at] > 5e-4 * tier.fast.lost_at


def test_requests_at_the_same_time_share_the_throughput() -> None:
    (tier,) = found({(1024, 4, 2): 10.0}, concurrency=2).tiers
    load = tier.lengths[0].load
    assert load is not None
    assert load.load_s == pytest.approx(2 * 4 / 10.0)
    assert load.request_gb_s == pytest.approx(5.0 * MIB / 1e9)
    assert load.basis == MEASURED


def test_the_lookup_and_the_copy_to_the_device_are_part_of_a_load() -> None:
    (tier,) = found(lookup_keys_s=100.0, h2d_bytes_s=8.0 * MIB).tiers
    load = tier.lengths[0].load
    assert load is not None
    assert load.lookup_s == pytest.approx(4 / 100.0)
    assert load.h2d_s == pytest.approx(4 / 8.0)
    assert load.load_s == pytest.approx(4 / 4.0 + 4 / 100.0 + 4 / 8.0)
    assert load.interval is not None
    assert load.interval.low == pytest.approx(4 / 4.0 / SPREAD[2] + 4 / 100.0 / SPREAD[2] + 4 / 8.0, rel=0.02)


def test_a_lookup_that_was_not_cold_is_not_part_of_a_cold_load() -> None:
    rounds = tier_frame(RATES, lookup_keys_s=100.0)
    is_lookup = rounds["phase"] == "lookup"
    for state, expected in (("uncontrolled", False), ("warm", False), (None, True), ("cold", True)):
        changed = rounds.assign(cache_state=rounds["cache_state"].where(~is_lookup, state))
        (tier,) = break_even(changed, model=MODEL, prefill=FLAT).tiers
        assert (tier.tier.lookups is not None) == expected, state
        assert tier.tier.no_lookup == ("" if expected else "none was cold")


def test_lookups_that_were_meant_to_miss_are_not_those_of_a_load() -> None:
    rounds = tier_frame(RATES, lookup_keys_s=100.0).assign(lookup_max_hit_rate=0.0)
    (tier,) = break_even(rounds, model=MODEL, prefill=FLAT).tiers
    assert tier.tier.lookups is None
    assert tier.tier.no_lookup == "none was measured with lookup_max_hit_rate=1"


def test_the_reuses_that_pay_are_the_price_of_the_bytes_by_that_of_the_gpu_seconds() -> None:
    (tier,) = found(prices=Prices(gpu_hour=3.6, gb_month=0.02)).tiers
    length = tier.lengths[2]
    stored = 16 * MIB / 1e9 * 0.02
    assert length.fast.reuses_a_month == pytest.approx(stored / (3.6 / 3600 * 2 * (4.096 - 0.25)))
    assert length.slow.reuses_a_month == pytest.approx(stored / (3.6 / 3600 * 2 * (8.192 - 0.25)))
    slow_tier = found({(1024, 4, 1): 0.1}, prices=Prices(3.6, 0.02)).tiers[0].lengths[0]
    assert slow_tier.fast.reuses_a_month == math.inf


def test_warm_loads_are_refused_where_cold_ones_were_asked_for() -> None:
    warm = tier_frame(RATES, cache_state="warm")
    with pytest.raises(
        RequestError, match=r"^breakeven: no load is cold \(processes: 6 warm\); run "
    ) as refused:
        break_even(warm, model=MODEL, prefill=FLAT, at=("cold",))
    assert "\n" not in str(refused.value)
    unasked = break_even(warm, model=MODEL, prefill=FLAT)
    assert [one.tier.at for one in unasked.tiers] == ["hot"]
    assert "no load is cold" in unasked.missing["cold"]


def test_cold_and_hot_loads_are_tiers_of_their_own() -> None:
    rows = [*tier_rows(RATES), *tier_rows({(1024, 4, 1): 400.0}, first=6, cache_state="warm")]
    both = break_even(frame(*rows), model=MODEL, prefill=FLAT)
    assert [(one.tier.at, one.lengths[0].load.load_s) for one in both.tiers if one.lengths[0].load] == [
        ("cold", pytest.approx(1.0)),
        ("hot", pytest.approx(0.01)),
    ]


def test_adapters_are_never_mixed_and_controls_are_no_tier() -> None:
    rows = [
        *tier_rows(RATES, type="fs_native", num_workers=4),
        *tier_rows(RATES, first=6, type="fs_native", num_workers=8),
        *tier_rows({(1024, 8, 1): 900.0}, first=12, type="fio"),
    ]
    tiers = break_even(frame(*rows), model=MODEL, prefill=FLAT).tiers
    assert [dict(one.tier.spec.options) for one in tiers] == [{"num_workers": 4}, {"num_workers": 8}]
    with pytest.raises(RequestError, match="only controls were measured"):
        break_even(frame(*tier_rows(RATES, type="fio")), model=MODEL, prefill=FLAT)


def test_a_process_that_failed_before_it_measured_takes_its_setting_out() -> None:
    rounds = tier_frame(RATES)
    lost = {"point_index": 9, "status": "crashed", "phase": "all", "cache_mode": "cold"}
    same = ("adapter_type", "adapter_spec", "num_keys", "in_flight", "data_size_kb")
    row = rounds[rounds["num_keys"] == 16].iloc[0]
    points = frame([point_row(**{**lost, **{name: row[name] for name in same}})])
    (tier,) = break_even(rounds, points=points, model=MODEL, prefill=FLAT).tiers
    assert tier.tier.loads.failed == 1
    assert [one.tokens for one in tier.curve] == [1024]


def test_the_ranks_share_the_tier_and_each_copies_its_own_part_to_its_device() -> None:
    ranks = replace(MODEL, keys_per_chunk=4)
    (tier,) = found({(1024, 16, 1): 64.0}, model=ranks, h2d_bytes_s=8.0 * MIB).tiers
    load = tier.lengths[0].load
    assert load is not None
    assert (load.keys, load.loaded_bytes) == (16, 16 * MIB)
    assert load.transfer_s == pytest.approx(16 / 64.0)
    assert load.h2d_s == pytest.approx(4 / 8.0)
    assert load.basis == MEASURED
