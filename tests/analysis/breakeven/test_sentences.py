"""What ``l2sweep breakeven`` says, and its rows."""

from __future__ import annotations

from typing import Any

import pytest
from made_tiers import MODEL, Rates, tier_frame

from l2sweep.analysis.breakeven.break_even import BreakEven, break_even
from l2sweep.analysis.breakeven.prefill import ASSUMED, Prefill, PrefillTime, Rung, fitted
from l2sweep.analysis.breakeven.rows import as_data, faster, length_rows
from l2sweep.analysis.breakeven.sentences import sentences

RATES: Rates = {(1024, 4, 1): 4.0, (1024, 16, 1): 64.0}


def assumed(fast: float, slow: float) -> Prefill:
    return Prefill(
        PrefillTime(fast, 0.0), PrefillTime(slow, 0.0), ASSUMED, 1, mfu=(0.3, 0.6), peak_flops=989e12
    )


def found(prefill: Prefill, rates: Rates = RATES, **changes: Any) -> BreakEven:
    return break_even(tier_frame(rates, **changes), model=MODEL, prefill=prefill)


def said(result: BreakEven) -> str:
    return "\n".join(sentences(result))


def test_an_assumed_prefill_is_called_assumed_and_no_gpu_was_measured() -> None:
    text = said(found(assumed(1e-4, 2e-4)))
    assert "Prefill: assumed, at an MFU of 30% to 60% of 1 GPU of 989 TFLOP/s." in text
    assert "Nothing was measured on a GPU." in text


def test_both_ends_of_the_band_have_their_length_and_the_threshold_is_the_safe_one() -> None:
    result = found(assumed(1e-4, 2e-4))
    (tier,) = result.tiers
    text = said(result)
    assert f"At an MFU of 60%: loading is faster than computing from 3,328 ({tier.fast.low:,} to" in text
    assert "At an MFU of 30%: loading is faster than computing from 2,304 (" in text
    assert tier.threshold_tokens == tier.fast.high
    assert f"min_retrieve_tokens: {tier.fast.high}." in text
    assert f'{{"prefetch_threshold": {tier.fast.high}}}' in text
    assert "reads min_retrieve_tokens in LMCacheConnectorV1, and not in its multiprocess connector." in text


def test_a_crossing_below_the_first_measured_length_says_so() -> None:
    assert "from 1,024 tokens on, the fewest that were measured" in said(found(assumed(1, 2)))


def test_where_loading_never_pays_no_threshold_is_named() -> None:
    text = said(found(assumed(1e-7, 1e-7)))
    assert "loading is slower than computing at each length that was measured, 1,024 to 4,096 tokens" in text
    assert "No threshold to set" in text
    assert "min_retrieve_tokens" not in text


def test_loading_that_is_slower_again_has_no_threshold() -> None:
    result = found(assumed(5e-4, 5e-4), {(1024, 4, 1): 4.0, (1024, 8, 1): 64.0, (1024, 16, 1): 4.0})
    lost_at = result.tiers[0].fast.lost_at
    assert lost_at
    assert f"at {lost_at:,} tokens it is slower again" in said(result)
    assert "No threshold to set: loading is slower again at a larger length." in said(result)


def test_a_threshold_needs_an_interval_that_ends_where_it_was_measured() -> None:
    """At 4,096 tokens, loading is as fast as computing only in the median: T_load = 0.25 s."""
    result = found(assumed(0.2501 / 4096, 0.2501 / 4096))
    assert result.tiers[0].fast.tokens == 4096
    assert result.tiers[0].fast.high is None
    assert "from 4,096 (3,840 to more than 4,096) tokens on" in said(result)
    assert result.tiers[0].threshold_tokens is None


def test_a_model_whose_size_was_not_measured_has_the_reason() -> None:
    result = found(assumed(1, 2), {(256, 4, 1): 4.0})
    assert "No load of this model can be told: keys of 1024 KiB: only 256 KiB were measured." in said(result)
    assert [row["load_s"] for row in length_rows(result)] == [None] * 8


def test_a_fitted_prefill_shows_each_residual() -> None:
    text = said(found(fitted([Rung(1024, 0.1), Rung(2048, 0.25), Rung(4096, 0.45)], gpus=1)))
    assert "Prefill: fitted to 3 prefills that you measured on 1 GPU" in text
    assert "1,024 tokens: 0.1 s, the fit says" in text
    assert "  4,096 tokens: 0.45 s" in text


def test_two_lengths_have_no_residuals_that_say_anything() -> None:
    assert "Two lengths determine the fit" in said(found(fitted([Rung(1024, 0.1), Rung(4096, 0.9)], gpus=1)))


def test_a_crossing_beyond_the_ladder_is_called_extrapolated() -> None:
    result = found(fitted([Rung(256, 0.3), Rung(512, 0.6)], gpus=1))
    assert "the prefill is extrapolated: the ladder has 256 to 512 tokens" in said(result)
    assert all(length.is_extrapolated for length in result.tiers[0].lengths)


def test_a_load_without_its_lookup_says_so() -> None:
    text = said(found(assumed(1, 2)))
    assert "T_load does not contain the lookup: none was measured with lookup_max_hit_rate=1." in text
    assert "T_load does not contain the lookup" not in said(found(assumed(1, 2), lookup_keys_s=100.0))


def test_what_was_not_measured_is_not_left_out_silently() -> None:
    assert "Not measured: hot." in said(found(assumed(1, 2)))


@pytest.mark.parametrize(
    ("fast_s", "slow_s", "expected"),
    [(2.0, 3.0, "load"), (0.9, 1.3, "open"), (1.0, 1.05, "open"), (0.1, 0.2, "compute")],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(fast_s: float, slow_s: float, expected: str) -> None:
    """At 1,024 tokens T_load is 1 s, from 0.83 to 1.11 s."""
    length = found(assumed(fast_s / 1024, slow_s / 1024)).tiers[0].lengths[0]
    assert faster(length) == expected


def test_rows_name_the_neighbours_and_the_reason() -> None:
    rows = {row["tokens"]: row for row in length_rows(found(assumed(1, 2)))}
    assert rows[1024]["basis"] == "measured"
    assert rows[2048]["basis"] == "interpolated: 4 keys, 16 keys"
    assert rows[8192]["basis"] is None
    assert rows[8192]["not_known"].endswith("only 4 to 16 of 1024 KiB were measured")
    assert rows[8192]["faster"] is None


def test_the_data_have_the_model_the_prefill_and_the_crossings() -> None:
    data = as_data(found(fitted([Rung(1024, 0.1), Rung(2048, 0.25), Rung(4096, 0.45)], gpus=1)))
    assert data["model"]["token_bytes"] == 4096
    assert len(data["prefill"]["ladder"]) == 3
    assert {"tokens", "low_tokens", "high_tokens"} <= set(data["break_even"][0]["fast_prefill"])
    assert len(data["lengths"]) == 8
