"""The break-even as rows, and as data with every number."""

from __future__ import annotations

from typing import Any

from l2sweep.analysis.breakeven.bandwidth import INTERPOLATED, MEASURED, Estimate
from l2sweep.analysis.breakeven.break_even import BreakEven, Compared, Length, TierBreakEven
from l2sweep.analysis.breakeven.crossing import Crossing
from l2sweep.analysis.breakeven.prefill import Prefill
from l2sweep.analysis.tune.sentences import options_in_words
from l2sweep.analysis.tune.settings import Setting

LOAD, COMPUTE, OPEN = "load", "compute", "open"
"""What is faster: loading even with the fastest prefill, computing even with the slowest, or neither is
certain."""


def length_rows(found: BreakEven) -> list[dict[str, Any]]:
    """Return one row for each tier and length. A value is None where it is not known.

    Args:
        found: The break-even.
    """
    return [_row(tier, length, found) for tier in found.tiers for length in tier.lengths]


def as_data(found: BreakEven) -> dict[str, Any]:
    """Return everything that was computed, as mappings, sequences, texts and numbers.

    Args:
        found: The break-even.
    """
    model = found.model
    return {
        "model": {
            "name": model.name,
            "token_bytes": model.token_bytes,
            "key_bytes": model.key_bytes,
            "keys_per_chunk": model.keys_per_chunk,
            "chunk_tokens": model.chunk_tokens,
            "layers": model.layers,
            "attention_width": model.attention_width,
            "active_parameters": model.active_parameters,
        },
        "prefill": _prefill(found.prefill),
        "concurrency": found.concurrency,
        "h2d_bytes_s": found.h2d_bytes_s,
        "break_even": [
            {
                **_of_tier(one),
                "fast_prefill": _crossing(one.fast),
                "slow_prefill": _crossing(one.slow),
                "threshold_tokens": one.threshold_tokens,
                "no_lookup": one.tier.no_lookup or None,
                "failed_settings": one.tier.loads.failed,
            }
            for one in found.tiers
        ],
        "not_measured": found.missing,
        "lengths": length_rows(found),
    }


def basis_in_words(estimate: Estimate, data_size_kb: int, in_flight: int) -> str:
    """Return where a throughput is from, such as ``interpolated: 4 keys, 16 keys``.

    Args:
        estimate: The throughput.
        data_size_kb: KiB of a key that it is for.
        in_flight: Submits in flight that it is for.
    """
    if estimate.basis == MEASURED:
        return MEASURED
    neighbours = ", ".join(_in_words(one, data_size_kb, in_flight) for one in estimate.neighbours)
    return f"{INTERPOLATED if estimate.basis == INTERPOLATED else estimate.basis}: {neighbours}"


def faster(length: Length) -> str | None:
    """Return what is faster at a length: :data:`LOAD`, :data:`COMPUTE` or :data:`OPEN`; None if not known.

    It is certain only if the whole interval of T_load is on one side of the whole band of T_prefill.

    Args:
        length: The length.
    """
    load = length.load
    if load is None:
        return None
    low, high = (load.interval.low, load.interval.high) if load.interval else (load.load_s, load.load_s)
    if high <= length.fast.prefill_s:
        return LOAD
    return COMPUTE if low > length.slow.prefill_s else OPEN


def _in_words(one: Setting, data_size_kb: int, in_flight: int) -> str:
    size = f"{one.data_size_kb} KiB " if one.data_size_kb != data_size_kb else ""
    submits = f"{one.in_flight} x " if one.in_flight != in_flight else ""
    return f"{size}{submits}{one.num_keys} keys"


def _row(tier: TierBreakEven, length: Length, found: BreakEven) -> dict[str, Any]:
    load, model = length.load, found.model
    estimate = load.bandwidth if load else None
    interval = load.interval if load else None
    rate = estimate.interval if estimate else None
    return {
        **_of_tier(tier),
        "model": model.name,
        "concurrency": found.concurrency,
        "tokens": length.tokens,
        "num_keys": model.keys(length.tokens),
        "data_size_kb": model.key_bytes // 1024,
        "loaded_bytes": model.loaded_bytes(length.tokens),
        "rate_mib_s": estimate.value if estimate else None,
        "rate_low_mib_s": rate.low if rate else None,
        "rate_high_mib_s": rate.high if rate else None,
        "request_gb_s": load.request_gb_s if load else None,
        "basis": _basis(load.bandwidth, found) if load else None,
        "lookup_keys_s": load.lookup.value if load and load.lookup else None,
        "lookup_basis": _basis(load.lookup, found) if load and load.lookup else None,
        "not_known": length.not_known or None,
        "lookup_s": load.lookup_s if load else None,
        "transfer_s": load.transfer_s if load else None,
        "h2d_s": load.h2d_s if load else None,
        "load_s": load.load_s if load else None,
        "load_low_s": interval.low if interval else None,
        "load_high_s": interval.high if interval else None,
        **_compared("fast", length.fast),
        **_compared("slow", length.slow),
        "prefill_source": found.prefill.source,
        "prefill_is_extrapolated": length.is_extrapolated,
        "faster": faster(length),
    }


def _basis(estimate: Estimate, found: BreakEven) -> str:
    return basis_in_words(estimate, found.model.key_bytes // 1024, found.concurrency)


def _of_tier(one: TierBreakEven) -> dict[str, Any]:
    tier = one.tier
    return {
        "adapter_type": tier.spec.adapter,
        "options": options_in_words(tier.spec),
        "host": tier.host,
        "path": tier.spec.path,
        "lmcache_version": tier.lmcache_version,
        "at": tier.at,
    }


def _compared(name: str, one: Compared) -> dict[str, Any]:
    return {
        f"prefill_{name}_s": one.prefill_s,
        f"needed_{name}_gb_s": one.needed_gb_s,
        f"both_{name}_s": one.both_s,
        f"reuses_{name}_a_month": one.reuses_a_month,
    }


def _crossing(one: Crossing) -> dict[str, Any]:
    return {
        "tokens": one.tokens,
        "low_tokens": one.low,
        "high_tokens": one.high,
        "has_interval": one.has_interval,
        "first_known_tokens": one.first,
        "last_known_tokens": one.last,
        "lost_at_tokens": one.lost_at,
    }


def _prefill(prefill: Prefill) -> dict[str, Any]:
    return {
        "source": prefill.source,
        "gpus": prefill.gpus,
        "peak_flops": prefill.peak_flops,
        "mfu": prefill.mfu,
        "fast": {"alpha_s": prefill.fast.alpha_s, "beta_s": prefill.fast.beta_s},
        "slow": {"alpha_s": prefill.slow.alpha_s, "beta_s": prefill.slow.beta_s},
        "ladder": [
            {
                "tokens": rung.tokens,
                "seconds": rung.seconds,
                "fit_s": prefill.fast.seconds(rung.tokens),
                "residual_fraction": prefill.residual(rung),
            }
            for rung in prefill.ladder
        ],
    }
