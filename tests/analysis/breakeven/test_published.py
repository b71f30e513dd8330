"""The formulas give the figures that others published, within 10%."""

from __future__ import annotations

import pytest
from made_tiers import tier_frame

from l2sweep.analysis.breakeven.break_even import break_even
from l2sweep.analysis.breakeven.prefill import Rung, assumed, fitted
from l2sweep.config.workload.presets import gpu, model_geometry


@pytest.mark.parametrize(("name", "published_gb_s"), [("a800", 6.0), ("h800", 19.0)])
def test_mooncakes_bandwidth_for_llama_70b_is_reproduced(name: str, published_gb_s: float) -> None:
    """Mooncake (Qin et al., FAST'25, https://www.usenix.org/system/files/fast25-qin.pdf), equation 2.

    "when running LLaMA3-70B on a machine with 8xA800 GPUs and assuming a prefix length of 8192, Equation 2
    yields a minimum required B of 6GB/s. The requirement for B will be enlarged to 19GB/s for an 8xH800
    machine." Its G is the peak of the GPUs, hence an MFU of 1. Its work is l (a n^2 d + b n d^2) with a = 4
    and b = 22: it counts attention without the causal mask, and less for the layers. Llama 3 and 3.1 have the
    same shape.
    """
    model = model_geometry("llama-3.1-70b", tp=8)
    prefill = assumed(model, gpu(name).bf16_flops, gpus=8, mfu=(1.0, 1.0))
    found = break_even(
        tier_frame({(model.key_bytes // 1024, 256, 1): 1000.0}), model=model, prefill=prefill, tokens=(8192,)
    )
    (length,) = found.tiers[0].lengths
    assert length.fast.needed_gb_s == pytest.approx(published_gb_s, rel=0.1)
    # Equation 2 itself, with Table 1: B / G > 2 d s / (gqa (a p d + b d^2)).
    equation_2 = gpu(name).bf16_flops * 8 * 2 * 8192 * 2 / (8 * (4 * 8192 * 8192 + 22 * 8192**2)) / 1e9
    assert equation_2 == pytest.approx(published_gb_s, rel=0.03)


def test_the_bandwidth_that_a_users_prefill_asks_for_is_reproduced() -> None:
    """https://github.com/ai-dynamo/dynamo/issues/6101: Llama-3.1-8B on one H100, 20,000 tokens ("~2.4 GB of
    KV-cache"), prefill about 0.9 s. To load as fast takes 20,000 x 131,072 bytes / 0.9 s = 2.9 GB/s.
    """
    model = model_geometry("llama-3.1-8b")
    assert model.token_bytes == 131072
    # Whatever the other rungs are: the fit goes through this one if all lie on one line.
    prefill = fitted([Rung(10_000, 0.45), Rung(20_000, 0.9)], gpus=1)
    found = break_even(
        tier_frame({(model.key_bytes // 1024, 79, 1): 1000.0}), model=model, prefill=prefill, tokens=(20_000,)
    )
    (length,) = found.tiers[0].lengths
    assert length.fast.needed_gb_s == pytest.approx(2.9, rel=0.1)
    assert model.loaded_bytes(20_000) / 2**30 == pytest.approx(2.4, rel=0.1)


def test_the_users_prefill_is_within_the_band_that_is_assumed_for_an_h100() -> None:
    """The same issue: 0.9 s is an MFU of 48%, between the 30% and 60% that ``--mfu`` assumes."""
    model = model_geometry("llama-3.1-8b")
    found = assumed(model, gpu("h100-sxm").bf16_flops, gpus=1, mfu=(0.3, 0.6))
    assert found.fast.seconds(20_000) < 0.9 < found.slow.seconds(20_000)
