"""Say a break-even in plain sentences."""

from __future__ import annotations

import itertools

from l2sweep.analysis.breakeven.break_even import BreakEven, TierBreakEven
from l2sweep.analysis.breakeven.crossing import Crossing
from l2sweep.analysis.breakeven.prefill import FITTED, Prefill
from l2sweep.analysis.tune.sentences import about_intervals, options_in_words

_WHO_READS_IT = (
    "LMCache 0.5.6 reads min_retrieve_tokens in LMCacheConnectorV1, and not in its multiprocess connector."
)


def sentences(found: BreakEven) -> list[str]:
    """Return the lines that say what was compared, from which length on loading is faster, and what to set.

    Args:
        found: The break-even.
    """
    lines = [*_about_model(found), *_about_prefill(found.prefill), *_about_copy(found)]
    for one in found.tiers:
        lines += _of_tier(one, found)
    if any(one.threshold_tokens is not None for one in found.tiers):
        lines.append(_WHO_READS_IT)
    measured = {one.tier.at for one in found.tiers}
    lines += [f"Not measured: {at}." for at in ("cold", "hot") if at in found.missing and at not in measured]
    fewest = [len(own.setting.rates) for one in found.tiers for own in one.tier.loads.measured]
    return [*lines, about_intervals(min(fewest))]


def _about_model(found: BreakEven) -> list[str]:
    model = found.model
    keys = f"keys of {model.key_bytes // 1024:,} KiB, {model.keys_per_chunk} for {model.chunk_tokens} tokens"
    requests = "1 request" if found.concurrency == 1 else f"{found.concurrency} requests"
    return [f"{model.name}: {model.token_bytes:,.0f} bytes a token, {keys}; {requests} at a time."]


def _about_prefill(prefill: Prefill) -> list[str]:
    gpus = f"{prefill.gpus} GPU{'s' if prefill.gpus > 1 else ''}"
    if prefill.source != FITTED:
        assert prefill.mfu is not None
        assert prefill.peak_flops is not None
        low, high = prefill.mfu
        peak = f"{gpus} of {prefill.peak_flops / 1e12:,.0f} TFLOP/s"
        share = f"{low:.0%}" if low == high else f"{low:.0%} to {high:.0%}"
        return [f"Prefill: assumed, at an MFU of {share} of {peak}. Nothing was measured on a GPU."]
    line = prefill.fast
    residuals = [prefill.residual(rung) for rung in prefill.ladder]
    lines = [
        f"Prefill: fitted to {len(prefill.ladder)} prefills that you measured on {gpus}: "
        f"{line.alpha_s:.3g} s x n + {line.beta_s:.3g} s x n^2. Residuals: "
        f"{min(residuals):+.1%} to {max(residuals):+.1%}. l2sweep measured nothing on a GPU."
    ]
    for rung, residual in zip(prefill.ladder, residuals, strict=True):
        fit = line.seconds(rung.tokens)
        lines.append(
            f"  {rung.tokens:,} tokens: {rung.seconds:.3g} s, the fit says {fit:.3g} s ({residual:+.1%})"
        )
    if len({rung.tokens for rung in prefill.ladder}) == 2:
        lines.append("  Two lengths determine the fit: it has no residuals that say how good it is.")
    return lines


def _about_copy(found: BreakEven) -> list[str]:
    if found.h2d_bytes_s is None:
        return ["T_load does not contain the copy to the GPU: it overlaps."]
    return [f"T_load contains a copy to each GPU at {found.h2d_bytes_s / 1e9:g} GB/s, which is assumed."]


def _of_tier(one: TierBreakEven, found: BreakEven) -> list[str]:
    tier, prefill = one.tier, found.prefill
    release = f"LMCache {tier.lmcache_version}, " if tier.lmcache_version else ""
    place = f"{release}{tier.spec.path or 'no path'}, {tier.host}"
    lines = [f"{tier.spec.adapter} with {options_in_words(tier.spec)} ({place}), {tier.at}:"]
    if one.fast.first is None:
        reason = next(length.not_known for length in one.lengths)
        return [*lines, f"  No load of this model can be told: {reason}."]
    if prefill.mfu is None or prefill.mfu[0] == prefill.mfu[1]:
        lines.append(f"  {_from(one.fast)}{_beyond(one.fast, prefill)}.")
    else:
        low, high = prefill.mfu
        lines.append(f"  At an MFU of {high:.0%}: {_lower(_from(one.fast))}.")
        lines.append(f"  At an MFU of {low:.0%}: {_lower(_from(one.slow))}.")
    lines += _needed(one)
    lines += _to_set(one)
    if tier.lookups is None:
        lines.append(f"  T_load does not contain the lookup: {tier.no_lookup}.")
    lines += _not_known(one)
    if tier.loads.failed:
        lines.append(f"  Left out, since a process failed: {tier.loads.failed} settings.")
    return lines


def _not_known(one: TierBreakEven) -> list[str]:
    """Return why lengths of the table are not known: for each run of lengths the reason of the first."""
    lines = []
    for is_known, run in itertools.groupby(one.lengths, key=lambda length: length.load is not None):
        lengths = list(run)
        if not is_known:
            first, last = lengths[0], lengths[-1]
            tokens = f"{first.tokens:,}" + (f" to {last.tokens:,}" if last is not first else "")
            lines.append(f"  Not measured at {tokens} tokens: {first.not_known}.")
    return lines


def _from(crossing: Crossing) -> str:
    if crossing.tokens is None:
        begins = "" if crossing.low is None else f"; the interval of n* begins at {crossing.low:,} tokens"
        return (
            f"Loading is slower than computing at each length that was measured, {crossing.first:,} to "
            f"{crossing.last:,} tokens{begins}"
        )
    edge = ", the fewest that were measured" if crossing.tokens == crossing.first else ""
    lost = f"; at {crossing.lost_at:,} tokens it is slower again" if crossing.lost_at else ""
    upto = f", up to {crossing.last:,}, the most that were measured" if not lost else ""
    return (
        f"Loading is faster than computing from {crossing.tokens:,}{_interval(crossing)} tokens on{edge}"
        f"{upto}{lost}"
    )


def _interval(crossing: Crossing) -> str:
    if not crossing.has_interval or crossing.low is None or crossing.high == crossing.first:
        return ""
    low = f"{crossing.low:,}{' or fewer' if crossing.low == crossing.first else ''}"
    high = f"more than {crossing.last:,}" if crossing.high is None else f"{crossing.high:,}"
    return f" ({low} to {high})"


def _beyond(crossing: Crossing, prefill: Prefill) -> str:
    if crossing.tokens is None or not prefill.is_extrapolated(crossing.tokens):
        return ""
    lengths = [rung.tokens for rung in prefill.ladder]
    return f", where the prefill is extrapolated: the ladder has {lengths[0]:,} to {lengths[-1]:,} tokens"


def _needed(one: TierBreakEven) -> list[str]:
    """Return what a request needs and gets, at the largest length of the table that is known."""
    known = [length for length in one.lengths if length.load is not None]
    if not known:
        return []
    last = known[-1]
    assert last.load is not None
    rate = last.load.bandwidth.interval
    scale = last.load.request_gb_s / last.load.bandwidth.value
    interval = f" ({rate.low * scale:.3g} to {rate.high * scale:.3g})" if rate else ""
    needs = f"{last.slow.needed_gb_s:.3g}"
    if last.fast != last.slow:
        needs += f" to {last.fast.needed_gb_s:.3g}"
    return [
        f"  At {last.tokens:,} tokens a request needs {needs} GB/s to load as fast as it computes, and gets "
        f"{last.load.request_gb_s:.3g}{interval} GB/s."
    ]


def _to_set(one: TierBreakEven) -> list[str]:
    tokens = one.threshold_tokens
    if one.fast.lost_at is not None:
        return ["  No threshold to set: loading is slower again at a larger length."]
    if tokens is None:
        return ["  No threshold to set: loading is not certain to be faster at any length that was measured."]
    return [
        f"  Set in LMCache: min_retrieve_tokens: {tokens}. In SGLang: "
        f"--hicache-storage-backend-extra-config '{{\"prefetch_threshold\": {tokens}}}'."
    ]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
