"""How long a prefill takes: the assumed work, and the fit to a ladder."""

from __future__ import annotations

import pytest
from made_tiers import MODEL

from l2sweep.analysis.breakeven.prefill import Prefill, Rung, assumed, fitted


def test_the_assumed_work_is_that_of_the_parameters_and_of_causal_attention() -> None:
    found = assumed(MODEL, peak_flops=1e9, gpus=2, mfu=(0.25, 0.5))
    flops = 2 * 1_000_000 * 4096 + 2 * 10 * 1000 * 4096**2
    assert found.fast.seconds(4096) == pytest.approx(flops / (0.5 * 1e9 * 2))
    assert found.slow.seconds(4096) == pytest.approx(flops / (0.25 * 1e9 * 2))
    assert found.source == "assumed"
    assert not found.is_extrapolated(10**9)


def test_a_fit_finds_the_coefficients_that_the_ladder_was_made_of() -> None:
    ladder = [Rung(tokens, 1e-4 * tokens + 3e-9 * tokens**2) for tokens in (1024, 4096, 16384, 65536)]
    found = fitted(ladder, gpus=1)
    assert found.fast == found.slow
    assert found.fast.alpha_s == pytest.approx(1e-4)
    assert found.fast.beta_s == pytest.approx(3e-9)
    assert [found.residual(rung) for rung in found.ladder] == pytest.approx([0] * 4, abs=1e-9)


def test_a_residual_is_how_much_longer_it_took_than_the_fit_says() -> None:
    found = fitted([Rung(1000, 0.11), Rung(1000, 0.09), Rung(2000, 0.22), Rung(2000, 0.18)], gpus=1)
    residuals = [found.residual(rung) for rung in found.ladder]
    assert residuals[0] == pytest.approx((0.11 - found.fast.seconds(1000)) / found.fast.seconds(1000))
    assert residuals[0] > 0 > residuals[1]


def test_relative_errors_count_so_that_long_prompts_do_not_outweigh_short_ones() -> None:
    ladder = [Rung(1000, 0.12), Rung(2000, 0.2), Rung(100_000, 10.0)]
    found = fitted(ladder, gpus=1)
    assert found.fast.seconds(1000) > 0.105  # an unweighted fit gives 0.1


def test_no_coefficient_is_negative() -> None:
    found = fitted([Rung(1000, 0.2), Rung(2000, 0.3), Rung(4000, 0.5)], gpus=1)
    assert found.fast.beta_s == 0
    assert found.fast.alpha_s > 0


def test_a_length_beyond_the_ladder_is_extrapolated() -> None:
    found: Prefill = fitted([Rung(1000, 0.1), Rung(2000, 0.2)], gpus=1)
    assert [found.is_extrapolated(tokens) for tokens in (999, 1000, 1500, 2000, 2001)] == [
        *(True, False, False, False, True)
    ]
