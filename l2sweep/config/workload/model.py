"""How large a chunk of a model's KV cache is, which LMCache stores under one key, and how many fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from l2sweep.analysis.breakeven.geometry import ModelGeometry
from l2sweep.config.options import STRICT, checked, point_option
from l2sweep.config.workload.options import AUTO
from l2sweep.errors import RequestError

_DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "fp8": 1, "int8": 1}
_ALIGN_KIB = 4  # of a size that O_DIRECT can move


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ModelOptions:
    """The options of ``conf/model`` that a user may change."""

    tp: int = point_option(
        1, "ranks of tensor parallelism, which share the KV heads", rare=True, ge=1, le=1_000_000
    )
    chunk_tokens: int = point_option(
        256, "tokens in a chunk: LMCache's chunk_size", rare=True, ge=1, le=1_000_000
    )
    dtype: Literal["float32", "bfloat16", "float16", "fp8", "int8"] = point_option(
        "bfloat16", "type of a number of the KV cache", rare=True
    )


def token_bytes(model: Mapping[str, Any]) -> int:
    """Return the bytes that one rank holds of a token's KV cache.

    Attention with heads for keys and values: layers x kv_heads x head_dim x 2 x bytes / tp. Where there are
    more ranks than KV heads, each rank holds one head. Multi-head latent attention: layers x (kv_lora_rank +
    rope_dim) x bytes, the same on every rank. These are the shapes of vLLM's ``get_kv_cache_shape``.

    Args:
        model: The mapping below ``model``.

    Raises:
        RequestError: An option below ``model`` has no allowed value.
    """
    options = _options(model)
    if _has_latent(model):
        numbers = model["kv_lora_rank"] + model["rope_dim"]
    else:
        heads, ranks = model["kv_heads"], options.tp
        if heads % ranks and ranks % heads:
            allowed = f"must divide the {heads} KV heads of {model['name']} or be their multiple"
            raise RequestError([f"model.tp={ranks}: {allowed}"])
        numbers = 2 * model["head_dim"] * max(1, heads // ranks)
    return int(model["layers"] * numbers * _DTYPE_BYTES[options.dtype])


def chunk_kb(model: Mapping[str, Any]) -> int:
    """Return the KiB of one rank's chunk, which ``conf/model`` sets ``data_size_kb`` to.

    Args:
        model: The mapping below ``model``.

    Raises:
        RequestError: An option below ``model`` has no allowed value, or the size is no multiple of 4 KiB.
    """
    options = _options(model)
    num_bytes = token_bytes(model) * options.chunk_tokens
    if num_bytes % (_ALIGN_KIB * 1024):
        problem = (
            f"a chunk of {model['name']} is {num_bytes} bytes and must be a multiple of {_ALIGN_KIB} KiB"
        )
        raise RequestError([f"model.chunk_tokens={options.chunk_tokens}: {problem}"])
    return num_bytes // 1024


def geometry(model: Mapping[str, Any]) -> ModelGeometry:
    """Return what the break-even of loading and computing needs to know of a model.

    Of a latent, LMCache stores one for all ranks (``lmcache.integration.vllm.utils.mla_only``); of heads,
    each rank stores its own.

    Args:
        model: The mapping below ``model``.

    Raises:
        RequestError: As :func:`chunk_kb`.
    """
    options = _options(model)
    return ModelGeometry(
        name=str(model["name"]),
        layers=model["layers"],
        attention_width=model["attention_width"],
        active_parameters=model["active_parameters"],
        chunk_tokens=options.chunk_tokens,
        key_bytes=chunk_kb(model) * 1024,
        keys_per_chunk=1 if _has_latent(model) else options.tp,
    )


def _options(model: Mapping[str, Any]) -> ModelOptions:
    names = ModelOptions.__dataclass_fields__
    return checked(ModelOptions, {name: model.get(name) for name in names}, "model")


def _has_latent(model: Mapping[str, Any]) -> bool:
    """Return whether it has multi-head latent attention."""
    return "kv_lora_rank" in model


def size_problem(model: Any, data_size_kb: int) -> list[str]:
    """Return a sentence if a key has another size than a chunk of the model; else an empty list.

    Args:
        model: The mapping below ``model``; anything else where no model was chosen.
        data_size_kb: The option with this name.

    Raises:
        RequestError: As :func:`chunk_kb`.
    """
    if not isinstance(model, Mapping) or "layers" not in model or data_size_kb == (size := chunk_kb(model)):
        return []
    return [
        f"data_size_kb={data_size_kb}: must be left out with model={model.get('name')}, which sets it to "
        f"{size}, the size of a chunk of {model.get('chunk_tokens')} tokens"
    ]


def model_name(model: Any) -> str | None:
    """Return the name of the model below ``model``; None where no model was chosen."""
    return str(model["name"]) if isinstance(model, Mapping) and "name" in model else None


def keys_within(
    disk_gb: Any,
    data_size_kb: Any,
    in_flight: Any,
    rounds: Any,
    warmup_rounds: Any,
    most: int,
    max_rounds: Any = None,
    max_warmup_rounds: Any = None,
) -> int:
    """Return how many keys a submit can have for a point to write no more than a budget.

    Values that are not allowed are ignored here: the check of their own option names them.

    Args:
        disk_gb: Budget of the point, in 10^9 bytes; None: no limit.
        data_size_kb: KiB of a key.
        in_flight: Submits of a round.
        rounds: Measured rounds.
        warmup_rounds: Rounds before them.
        most: Keys of a submit at most.
        max_rounds: Measured rounds at most, where ``rounds`` is auto.
        max_warmup_rounds: Rounds before them at most, where ``warmup_rounds`` is auto.

    Returns:
        From 1 to ``most``; 1 also where not even that fits the budget.
    """
    rounds = max_rounds if rounds == AUTO else rounds
    warmup_rounds = max_warmup_rounds if warmup_rounds == AUTO else warmup_rounds
    sizes = (disk_gb, data_size_kb, in_flight, rounds)
    are_numbers = all(isinstance(size, int | float) and size > 0 for size in sizes)
    if not are_numbers or not isinstance(warmup_rounds, int):
        return most
    round_bytes = data_size_kb * 1024 * in_flight
    return max(1, min(most, int(disk_gb * 1e9 // (round_bytes * (rounds + max(0, warmup_rounds))))))
