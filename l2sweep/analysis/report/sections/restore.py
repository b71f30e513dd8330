"""Section 4: restore times and the break-even."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from l2sweep.analysis.breakeven.break_even import Length, TierBreakEven, break_even
from l2sweep.analysis.breakeven.crossing import Crossing
from l2sweep.analysis.breakeven.geometry import ModelGeometry
from l2sweep.analysis.breakeven.loading import LoadTime
from l2sweep.analysis.breakeven.prefill import Gpu, assumed
from l2sweep.analysis.breakeven.restore import RestoreTime as Restored
from l2sweep.analysis.breakeven.restore import restore_times
from l2sweep.analysis.breakeven.rows import basis_in_words
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.report.contents.curves import Temperature
from l2sweep.analysis.report.contents.restore import BreakEvenCurve, BreakEvenPoint, Restore, RestoreTime
from l2sweep.analysis.report.measured import temperatures_of
from l2sweep.analysis.tune.sentences import options_in_words
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

MFU = (0.3, 0.6)
"""Share of a GPU's peak that a prefill reaches, at least and at most: as ``l2sweep breakeven`` assumes."""
_MOST_CURVES = 12
"""More break-evens are not legible."""


def restore(
    rounds: pd.DataFrame, points: pd.DataFrame, models: Sequence[ModelGeometry], gpu: Gpu | None
) -> Restore:
    """Return the restore times of models from the measured tiers, and the break-even with a GPU.

    Args:
        rounds: Rows of ``rounds``.
        points: Rows of ``points``.
        models: The models; none: nothing is computed.
        gpu: The GPU whose prefill is assumed; None: no break-even is computed.
    """
    if not models:
        return Restore((), (), ())
    of_adapters = rounds[~rounds["adapter_type"].isin(list(CONTROLS))]
    found: list[Restored] = []
    for at in temperatures_of(of_adapters, "load"):
        try:
            found += restore_times(of_adapters, models, at=at, points=points)
        except RequestError:  # no load of an adapter was measured in this state
            continue
    if not found:
        return Restore(
            (), (), ("Not measured: no load of an adapter was measured, so there is no restore time.",)
        )
    tiers = {id(one.tier) for one in found if one.load is not None}
    known = [one for one in found if id(one.tier) in tiers and one.model.name in _known_models(found)]
    not_measured = _unknown(found, [model for model in models if model.name not in _known_models(found)])
    curves: list[BreakEvenCurve] = []
    for model in models if gpu is not None else ():
        if model.name in _known_models(found):
            assert gpu is not None
            curves += _curves(of_adapters, points, model, gpu)
    if len(curves) > _MOST_CURVES:
        not_measured.append(
            f"Shown: {_MOST_CURVES} of {len(curves)} break-evens; l2sweep breakeven has the others."
        )
    return Restore(tuple(map(_time, known)), tuple(curves[:_MOST_CURVES]), tuple(not_measured))


def _known_models(found: Sequence[Restored]) -> set[str]:
    return {one.model.name for one in found if one.load is not None}


def _unknown(found: Sequence[Restored], models: Sequence[ModelGeometry]) -> list[str]:
    """Return a sentence for the models of which no load is known, for each reason."""
    by_reason: dict[str, list[str]] = {}
    for model in models:
        text = next(one.not_known for one in found if one.model.name == model.name)
        named = f"{model.name} ({model.key_bytes // 1024:,} KiB a key)"
        by_reason.setdefault(text.rpartition(": ")[2], []).append(named)
    return [
        f"Not measured: restore times of {', '.join(named)}. The reason: {reason}."
        for reason, named in by_reason.items()
    ]


def _time(one: Restored) -> RestoreTime:
    load, interval = one.load, one.load.interval if one.load else None
    return RestoreTime(
        model=one.model.name,
        adapter=one.tier.spec.adapter,
        options=options_in_words(one.tier.spec),
        temperature=cast(Temperature, one.tier.at),
        tokens=one.tokens,
        kv_bytes=one.model.loaded_bytes(one.tokens),
        load_s=load.load_s if load else None,
        low_s=interval.low if interval else None,
        high_s=interval.high if interval else None,
        mib_per_s=load.bandwidth.value if load else None,
        basis=_basis(load, one.model) if load else f"not measured: {one.not_known}",
    )


def _basis(load: LoadTime, model: ModelGeometry) -> str:
    """Return where the throughput is from, and whether the lookup is missing in the time."""
    text = basis_in_words(load.bandwidth, model.key_bytes // 1024, load.concurrency)
    return f"{text}; without the lookup, which was not measured" if load.lookup is None else text


def _curves(
    rounds: pd.DataFrame, points: pd.DataFrame, model: ModelGeometry, gpu: Gpu
) -> list[BreakEvenCurve]:
    prefill = assumed(model, gpu.bf16_flops, 1, MFU)
    try:
        found = break_even(rounds, model=model, prefill=prefill, points=points, h2d_bytes_s=gpu.h2d_bytes_s)
    except RequestError:
        return []
    low, high = MFU
    assumption = (
        f"Nothing was measured on a GPU. The prefill is assumed at an MFU of {low:.0%} to {high:.0%} of one "
        f"{gpu.name} ({gpu.bf16_flops / 1e12:,.0f} TFLOP/s in bfloat16), with one request at a time. "
        f"The load has a copy to the GPU at {gpu.h2d_bytes_s / 1e9:g} GB/s, which is assumed as well."
    )
    return [
        BreakEvenCurve(
            model=model.name,
            gpu=gpu.name,
            adapter=one.tier.spec.adapter,
            options=options_in_words(one.tier.spec),
            temperature=cast(Temperature, one.tier.at),
            sentence=_sentence(one),
            assumption=assumption,
            points=tuple(_point(length, model) for length in one.lengths),
        )
        for one in found.tiers
        if one.curve
    ]


def _point(length: Length, model: ModelGeometry) -> BreakEvenPoint:
    load, interval = length.load, length.load.interval if length.load else None
    return BreakEvenPoint(
        tokens=length.tokens,
        load_s=load.load_s if load else None,
        load_low_s=interval.low if interval else None,
        load_high_s=interval.high if interval else None,
        prefill_low_s=length.fast.prefill_s,
        prefill_high_s=length.slow.prefill_s,
        basis=_basis(load, model) if load else f"not measured: {length.not_known}",
    )


def _sentence(one: TierBreakEven) -> str:
    """Return from which length on loading is faster, at the fastest and at the slowest prefill."""
    low, high = MFU
    fast = f"At an MFU of {high:.0%}, {_crossing(one.fast)}."
    return fast if one.fast == one.slow else f"{fast} At {low:.0%}, {_crossing(one.slow)}."


def _crossing(found: Crossing) -> str:
    lengths = f"{found.first:,} to {found.last:,} tokens"
    if found.tokens is None:
        return f"loading is slower than computing at each length that is known, {lengths}"
    interval = ""
    if found.has_interval and found.low is not None:
        upper = f"{found.high:,}" if found.high is not None else f"more than {found.last:,}"
        interval = f" (95%: {found.low:,} to {upper})"
    edge = ", the shortest that is known," if found.tokens == found.first else ""
    lost = f", but slower again at {found.lost_at:,}" if found.lost_at else ""
    start = f"loading is faster than computing from {found.tokens:,} tokens{interval}{edge} on"
    return f"{start}, of {lengths}{lost}"
