"""Section 3: the settings with their throughput, their share of fio, and what limits them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import cast

from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.report.contents.curves import MeasuredSetting, Temperature, Throughput
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.curves import PlacedSetting, curves_of, heat_maps_of
from l2sweep.analysis.tune.ceiling import FIO, Ceiling, ceiling
from l2sweep.analysis.tune.recommendation import Recommendation
from l2sweep.analysis.tune.sentences import options_in_words
from l2sweep.analysis.tune.settings import Setting

_Key = tuple[str, str | None]


def throughput(measured: Measured, recommendation: Recommendation | None) -> Throughput:
    """Return the throughput of all settings, and the curves and heat maps over them.

    Args:
        measured: The rows.
        recommendation: The one that the verdict gives; None if it gives none.
    """
    recommended = _recommended(recommendation)
    placed: list[PlacedSetting] = []
    rows: list[MeasuredSetting] = []
    for (phase, temperature), every in measured.settings.items():
        fios = [one for one in every if one.spec.adapter == FIO]
        is_of_verdict = recommendation is not None and phase == recommendation.phase
        is_of_verdict = is_of_verdict and temperature in (None, recommendation and recommendation.at)
        for one in every:
            is_recommended = is_of_verdict and _identity(one) in recommended
            placed.append(PlacedSetting(len(rows), phase, temperature, one))
            rows.append(_row(one, (phase, temperature), fios, is_recommended=is_recommended))
    curves, knees = curves_of(placed)
    heat_maps = heat_maps_of(placed)
    return Throughput(
        settings=tuple(_with_knee(row, is_knee=index in knees) for index, row in enumerate(rows)),
        curves=tuple(curves),
        heat_maps=tuple(heat_maps),
        not_measured=tuple(_not_measured(measured, rows, {one.over for one in curves}, bool(heat_maps))),
    )


def _identity(one: Setting) -> tuple[object, ...]:
    return one.spec, one.place, one.workload


def _recommended(recommendation: Recommendation | None) -> Collection[tuple[object, ...]]:
    """Return the settings that are recommended: those of the best adapter, or of the only one."""
    if recommendation is None:
        return ()
    best = recommendation.best
    if best is not None:
        option = best.candidates[0].option if best.candidates else None
    else:
        option = recommendation.adapters[0].option if len(recommendation.adapters) == 1 else None
    return {
        _identity(advice.use)
        for one in recommendation.adapters
        for advice in one.advice
        if advice.use.spec == option
    }


def _row(one: Setting, key: _Key, fios: Sequence[Setting], *, is_recommended: bool) -> MeasuredSetting:
    interval = one.rate_interval
    found = "" if one.spec.adapter == FIO else ceiling(one, fios)
    known = found if isinstance(found, Ceiling) else None
    share = known.share.interval if known else None
    return MeasuredSetting(
        adapter=one.spec.adapter,
        options=options_in_words(one.spec),
        is_control=one.spec.adapter in CONTROLS,
        host=one.host,
        path=one.spec.path,
        release=one.lmcache_version,
        phase=key[0],
        temperature=cast("Temperature | None", key[1]),
        cache_state=one.cache_state,
        data_size_kb=one.data_size_kb,
        num_keys=one.num_keys,
        in_flight=one.in_flight,
        lookup_max_hit_rate=one.lookup_max_hit_rate,
        processes=len(one.rates),
        failed_processes=one.failed,
        rate=one.rate if one.rates else None,
        rate_low=interval.low if interval else None,
        rate_high=interval.high if interval else None,
        fio_rate=known.same.rate if known else None,
        fio_best_rate=known.best.rate if known else None,
        fio_share=known.share.value if known else None,
        fio_share_low=share.low if share else None,
        fio_share_high=share.high if share else None,
        fio_best_share=known.share_of_best.value if known else None,
        limit=known.limit if known and key[1] != "hot" else None,
        queue_depth=one.device.queue_depth,
        why_no_queue_depth=one.device.why_unknown,
        device_latency_s=one.device.latency_s,
        device_busy_fraction=one.device.busy_fraction,
        request_bytes=one.device.request_bytes,
        is_knee=False,
        is_recommended=is_recommended,
    )


def _with_knee(row: MeasuredSetting, *, is_knee: bool) -> MeasuredSetting:
    return replace(row, is_knee=True) if is_knee else row


_FIELDS = {"data_size_kb": "object size", "in_flight": "in-flight submits", "num_keys": "keys of a submit"}


def _not_measured(
    measured: Measured, rows: Sequence[MeasuredSetting], overs: Collection[str], has_heat_map: bool
) -> list[str]:
    """Return a sentence for each figure that has no data."""
    if not rows and measured.source.client_rounds is not None and len(measured.source.client_rounds):
        return [
            "Not measured: throughput of one client. That of several clients is in Scaling and in all points."
        ]
    if not any(row.rate is not None for row in rows):
        return ["Not measured: no process completed a store, lookup or load of rounds."]
    found = [
        f"Not measured: throughput against {name}. No adapter has two values of {field} with the rest equal."
        for field, name in _FIELDS.items()
        if field not in overs
    ]
    if not has_heat_map:
        found.append("Not measured: a grid. No adapter has two values of two fields of the workload.")
    loads = [row for row in rows if row.phase == "load" and row.rate is not None]
    for temperature in ("cold", "hot"):
        if not any(row.temperature == temperature for row in loads):
            found.append(f"Not measured: {temperature} loads.")
    if not any(row.fio_rate is not None for row in rows):
        found.append(
            "Not measured: the ceiling of the device. fio has no point on the same path, with the same size, "
            "keys in flight and state of the page cache as an adapter."
        )
    if not any(row.queue_depth is not None for row in rows):
        reasons = dict.fromkeys(row.why_no_queue_depth for row in rows if row.why_no_queue_depth)
        found.append(f"Not measured: the queue depth at the device. {'; '.join(reasons)[:300]}.")
    return found
