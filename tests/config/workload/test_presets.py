"""The shipped models and GPUs are complete, and their figures are those of their sources."""

from __future__ import annotations

import pytest
from conftest import ROOT

from l2sweep.config.shipped import shipped_names
from l2sweep.config.workload.presets import gpu, model_geometry
from l2sweep.errors import RequestError

# Parameters in all (10^9) and of embedding and output head, as the model cards and configurations say.
PUBLISHED = {
    "llama-3.1-8b": (8.03, 2 * 128256 * 4096),
    "llama-3.1-70b": (70.55, 2 * 128256 * 8192),
    "llama-3.1-405b": (405.85, 2 * 128256 * 16384),
    "qwen2.5-7b": (7.62, 2 * 152064 * 3584),
    "qwen3-32b": (32.76, 2 * 151936 * 5120),
    "qwen3-235b-a22b": (22.19, 2 * 151936 * 4096),  # activated
    "deepseek-v3": (37.55, 2 * 129280 * 7168),  # activated
}


def test_every_model_is_in_this_test() -> None:
    assert sorted(PUBLISHED) == shipped_names("model")


@pytest.mark.parametrize("name", PUBLISHED)
def test_active_parameters_and_embeddings_are_the_published_size(name: str) -> None:
    billions, embeddings = PUBLISHED[name]
    assert (model_geometry(name).active_parameters + embeddings) / 1e9 == pytest.approx(billions, rel=0.002)


def test_kappa_is_that_of_all_ranks() -> None:
    assert model_geometry("llama-3.1-8b").token_bytes == 32 * 8 * 128 * 2 * 2
    assert model_geometry("llama-3.1-8b", tp=8).token_bytes == 32 * 8 * 128 * 2 * 2
    assert (
        model_geometry("llama-3.1-8b", tp=16).token_bytes == 2 * 32 * 8 * 128 * 2 * 2
    )  # heads are held twice
    assert model_geometry("llama-3.1-8b", dtype="fp8").token_bytes == 32 * 8 * 128 * 2
    assert model_geometry("llama-3.1-8b", tp=8).keys(1024) == 4 * 8


def test_a_latent_is_stored_once_for_all_ranks() -> None:
    one, eight = model_geometry("deepseek-v3"), model_geometry("deepseek-v3", tp=8)
    assert one.token_bytes == eight.token_bytes == 61 * (512 + 64) * 2
    assert eight.keys(1024) == 4


@pytest.mark.parametrize("name", shipped_names("gpu"))
def test_a_gpu_cites_its_source_and_its_figures_are_plausible(name: str) -> None:
    found = gpu(name)
    assert "https://" in (ROOT / "conf" / "gpu" / f"{name}.yaml").read_text()
    assert found.name == name
    assert 1e14 < found.bf16_flops < 1e16
    assert found.fp8_flops is None or found.fp8_flops == pytest.approx(2 * found.bf16_flops, rel=0.02)
    assert found.h2d_bytes_s in (32e9, 64e9)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RequestError, match="gpu=h1: must be one of a100-80gb, a800, b200"):
        gpu("h1")
    with pytest.raises(RequestError, match=r"model=gpt: must be one of deepseek-v3, llama-3\.1-405b"):
        model_geometry("gpt")
