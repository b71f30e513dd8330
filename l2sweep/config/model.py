"""How large a chunk of a model's KV cache is, which LMCache stores under one key, and how many fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2sweep.config.options import BUDGET_RULES, DTYPE_BYTES, MODEL_RULES, POINT_RULES, broken_rules
from l2sweep.errors import RequestError

_ALIGN_KIB = 4  # of a size that O_DIRECT can move


def chunk_kb(model: Mapping[str, Any]) -> int:
    """Return the KiB of one rank's chunk, which ``conf/model`` sets ``data_size_kb`` to.

    Attention with heads for keys and values: layers x kv_heads x head_dim x 2 x bytes x tokens / tp.
    Where there are more ranks than such heads, each rank holds one. Multi-head latent attention: layers x
    (kv_lora_rank + rope_dim) x bytes x tokens, the same on every rank. vLLM's ``get_kv_cache_shape`` of
    either attention.

    Args:
        model: What stands below ``model``.

    Raises:
        RequestError: An option below ``model`` has no allowed value, or the size is no multiple of 4 KiB.
    """
    problems = _problems(model)
    if problems:
        raise RequestError(problems)
    if "kv_lora_rank" in model:
        per_token = model["kv_lora_rank"] + model["rope_dim"]
    else:
        per_token = 2 * model["head_dim"] * max(1, model["kv_heads"] // model["tp"])
    num_bytes = model["layers"] * per_token * DTYPE_BYTES[model["dtype"]] * model["chunk_tokens"]
    if num_bytes % (_ALIGN_KIB * 1024):
        raise RequestError(
            [
                f"model.chunk_tokens={model['chunk_tokens']}: a chunk of {model['name']} is {num_bytes} "
                f"bytes and must be a multiple of {_ALIGN_KIB} KiB"
            ]
        )
    return int(num_bytes // 1024)


def model_name(model: Any) -> str | None:
    """Return the name of what stands below ``model``; None where no model was chosen."""
    return str(model["name"]) if isinstance(model, Mapping) and "name" in model else None


def keys_within(
    disk_gb: float | None, data_size_kb: int, in_flight: int, rounds: int, warmup_rounds: int, most: int
) -> int:
    """Return how many keys a submit can have for a point to write no more than a budget.

    Args:
        disk_gb: What the point may write, in 10^9 bytes; None: any amount.
        data_size_kb: KiB of a key.
        in_flight: Submits of a round.
        rounds: Measured rounds.
        warmup_rounds: Rounds before them.
        most: Keys of a submit at most.

    Returns:
        From 1 to ``most``; 1 as well where not even that is within the budget.
    """
    sizes = {
        "data_size_kb": data_size_kb,
        "in_flight": in_flight,
        "rounds": rounds,
        "warmup_rounds": warmup_rounds,
    }
    wrong = any(not POINT_RULES[name].accepts(size) for name, size in sizes.items())
    if disk_gb is None or wrong or not BUDGET_RULES["disk_gb"].accepts(disk_gb):
        return most  # what is wrong is told of the option itself
    fits = int(disk_gb * 1e9 // (data_size_kb * 1024 * in_flight * (rounds + warmup_rounds)))
    return max(1, min(most, fits))


def _problems(model: Mapping[str, Any]) -> list[str]:
    problems = [f"model.{problem}" for problem in broken_rules(model, MODEL_RULES)]
    if not problems and "kv_heads" in model:
        heads, ranks = model["kv_heads"], model["tp"]
        if heads % ranks and ranks % heads:
            problems.append(
                f"model.tp={ranks}: must divide the {heads} KV heads of {model['name']} or be their multiple"
            )
    return problems
