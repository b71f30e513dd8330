"""The sizes of real models' chunks, and how many of them fit into a budget."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import ROOT, RunL2Sweep
from omegaconf import DictConfig, OmegaConf

from l2sweep.config.workload.model import chunk_kb, keys_within
from l2sweep.errors import RequestError

MODELS = sorted(path.stem for path in (ROOT / "conf" / "model").glob("*.yaml"))
MIB = {
    "llama-3.1-8b": 32,
    "llama-3.1-70b": 80,
    "llama-3.1-405b": 126,
    "qwen2.5-7b": 14,
    "qwen3-32b": 64,
    "qwen3-235b-a22b": 47,
    "deepseek-v3": 17.15625,
}


def model(name: str, **changes: Any) -> dict[str, Any]:
    config = OmegaConf.load(ROOT / "conf" / "model" / f"{name}.yaml")
    assert isinstance(config, DictConfig)
    plain = OmegaConf.to_container(config.model)
    assert isinstance(plain, dict)
    return {**{str(key): value for key, value in plain.items()}, **changes}


def test_every_model_is_in_this_test_and_cites_its_configuration() -> None:
    assert sorted(MIB) == MODELS
    for name in MODELS:
        assert "https://huggingface.co/" in (ROOT / "conf" / "model" / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", MODELS)
def test_a_chunk_of_256_tokens_has_the_size_that_is_known(name: str) -> None:
    assert chunk_kb(model(name)) == MIB[name] * 1024


def test_ranks_share_heads_and_no_latent() -> None:
    assert chunk_kb(model("llama-3.1-8b", tp=8)) == 4096
    assert chunk_kb(model("llama-3.1-8b", tp=16)) == 4096  # each rank holds a whole head
    assert chunk_kb(model("deepseek-v3", tp=8)) == 17568


def test_a_chunk_follows_from_the_type_and_the_tokens() -> None:
    assert chunk_kb(model("qwen3-32b", dtype="fp8", chunk_tokens=512)) == 64 * 1024
    assert chunk_kb(model("qwen3-32b", dtype="float32")) == 128 * 1024


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"tp": 3}, "model.tp=3"),
        ({"tp": 0}, "model.tp=0"),
        ({"chunk_tokens": "many"}, "model.chunk_tokens=many"),
        ({"dtype": "int4"}, "model.dtype=int4"),
        ({"tp": 8, "chunk_tokens": 1}, "multiple of 4 KiB"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError) as refused:
        chunk_kb(model("qwen2.5-7b", **changes))
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_keys_are_as_many_as_a_budget_holds() -> None:
    assert keys_within(None, 1024, 1, 1, 1, most=8) == 8
    assert keys_within(1, 1024, 1, 1, 1, most=1000) == 476
    assert keys_within(1, 1024, 4, 9, 1, most=1000) == 23
    assert keys_within(0.001, 1024, 1, 1, 1, most=8) == 1


def test_keys_are_as_many_as_a_budget_holds_if_all_rounds_run_that_may_run() -> None:
    assert keys_within(1, 1024, 4, "auto", "auto", 1000, 9, 1) == keys_within(1, 1024, 4, 9, 1, 1000)
    assert keys_within(1, 1024, 4, 9, 1, 1000, 50, 20) == keys_within(1, 1024, 4, 9, 1, 1000)
    assert keys_within(1, 1024, 4, "often", 1, 1000, 9, 1) == 1000  # the check of rounds names it


def test_a_model_sets_the_size_and_is_in_the_rows(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", "model=llama-3.1-8b", "model.tp=8", "num_keys=1,2", "adapter=mock")
    assert run.exit_code == 0, run.err
    assert set(run.points["data_size_kb"]) == {4096}
    assert set(run.points["model"]) == {"llama-3.1-8b"}
    refused = run_l2sweep("model=llama-3.1-8b", "model.tp=3")
    assert refused.exit_code == 2
    assert (
        refused.err
        == "l2sweep: model.tp=3: must divide the 8 KV heads of llama-3.1-8b or be their multiple\n"
    )
