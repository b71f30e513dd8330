"""How long it takes to restore a prompt, and from which length on that is faster than to compute it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from l2sweep.analysis.report.contents.restore import BreakEvenCurve, Restore, RestoreTime
from l2sweep.analysis.report.page.charts.figure import Entry, Figure, Panel, evenly_chosen, in_order, named
from l2sweep.analysis.report.page.charts.style import (
    COLOURS,
    HEIGHT,
    MOST_SERIES,
    TOKEN_LABELS,
    layered,
    legend_entries,
    legend_of,
    lines,
    measured_axis,
    value_axis,
    value_scale,
)

_TIMES = "restore_time"
_BREAK_EVEN = "break_even"
_MOST_PANELS = 8
_SECONDS = "seconds"
_WHAT = ("load", "compute again, assumed")


def restore_figures(restore: Restore) -> list[Figure]:
    """Return the figures of restore times and of the break-even, each if it was measured.

    Args:
        restore: The restore times of the report.
    """
    times = [one for one in restore.times if one.load_s is not None]
    curves = [one for one in restore.break_evens if any(point.load_s is not None for point in one.points)]
    return [*([_times(times)] if times else []), *([_break_evens(curves)] if curves else [])]


def _label(one: RestoreTime) -> str:
    return named(one.adapter, one.temperature, None if one.options == "defaults" else one.options)


def _times(times: Sequence[RestoreTime]) -> Figure:
    models = in_order(one.model for one in times)
    labels = in_order(map(_label, times))
    shown = evenly_chosen(labels, MOST_SERIES)
    drawn = [one for one in times if _label(one) in shown]
    columns: dict[str, list[Any]] = {
        "panel": [models.index(one.model) for one in drawn],
        "series": [_label(one) for one in drawn],
        "tokens": [one.tokens for one in drawn],
        "load_s": [one.load_s for one in drawn],
        "low_s": [one.low_s for one in drawn],
        "high_s": [one.high_s for one in drawn],
        "basis": [one.basis for one in drawn],
    }
    x = measured_axis("tokens", "tokens", [one.tokens for one in drawn], TOKEN_LABELS)
    scale = value_scale([value for one in drawn for value in (one.load_s, one.low_s, one.high_s)])
    y = value_axis("load_s", _SECONDS, scale, ".3~r")
    tooltip = [
        alt.Tooltip("series:N", title="from"),
        alt.Tooltip("tokens:Q", title="tokens", format=","),
        *(
            alt.Tooltip(f"{name}:Q", title=title, format=",.3~r")
            for name, title in (("load_s", _SECONDS), ("low_s", "interval from"), ("high_s", "to"))
        ),
        alt.Tooltip("basis:N", title="throughput"),
    ]
    chart = layered(lines(x, y, shown, ("low_s", "high_s"), tooltip))
    panels = [Panel(model, chart, HEIGHT, legend_entries(shown)) for model in models]
    caption = (
        "Time to load the KV cache of a prompt from this storage. The table below has the numbers and the "
    )
    caption += "throughput from which they follow."
    if len(shown) < len(labels):
        caption += f" {len(shown)} of {len(labels)} lines are drawn."
    return Figure(
        name=_TIMES,
        title="Time to restore a prompt",
        caption=caption,
        panels=tuple(panels),
        columns=columns,
    )


def _break_evens(every: Sequence[BreakEvenCurve]) -> Figure:
    curves = evenly_chosen(every, _MOST_PANELS)
    names = (
        "panel",
        "tokens",
        "load_s",
        "load_low_s",
        "load_high_s",
        "prefill_low_s",
        "prefill_high_s",
        "basis",
    )
    columns: dict[str, list[object]] = {name: [] for name in names}
    for number, curve in enumerate(curves):
        columns["panel"] += [number] * len(curve.points)
        for name in names[1:]:
            columns[name] += [getattr(point, name) for point in curve.points]
    seconds = [
        getattr(point, name)
        for curve in curves
        for point in curve.points
        for name in ("load_s", "load_low_s", "load_high_s", "prefill_low_s", "prefill_high_s")
    ]
    scale = value_scale(seconds)
    tokens = [point.tokens for curve in curves for point in curve.points]
    legend = (
        Entry(_WHAT[0], COLOURS[0], "circle", (1, 0)),
        Entry(_WHAT[1], COLOURS[1], is_band=True),
    )
    chart = _break_even(tokens, scale)
    panels = []
    for curve in curves:
        options = None if curve.options == "defaults" else curve.options
        title = named(f"{curve.model} on {curve.gpu}", curve.adapter, options, curve.temperature)
        note = f"{curve.sentence} {curve.assumption}".strip()
        panels.append(Panel(title, chart, HEIGHT, legend, note))
    caption = (
        "Time to load the KV cache of a prompt, and to compute it again. The band is the assumed range of "
    )
    caption += "the GPU's speed, which was not measured. Loading is faster where its line is below the band."
    if len(curves) < len(every):
        caption += f" {len(curves)} of {len(every)} are drawn."
    return Figure(
        name=_BREAK_EVEN,
        title="Load or compute again",
        caption=caption,
        panels=tuple(panels),
        columns=columns,
    )


def _break_even(tokens: Sequence[int], scale: alt.Scale) -> alt.LayerChart:
    scale_of_what = alt.Scale(domain=list(_WHAT), range=[COLOURS[0], COLOURS[1]])
    colour = alt.Color("what:N", scale=scale_of_what, legend=legend_of(_WHAT))
    x = measured_axis("tokens", "tokens", tokens, TOKEN_LABELS)
    load = alt.Chart().transform_filter("isValid(datum.load_s)").transform_calculate(what=f"'{_WHAT[0]}'")
    prefill = alt.Chart().transform_calculate(what=f"'{_WHAT[1]}'")
    y = value_axis("load_s", _SECONDS, scale, ".3~r")

    def channel(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", title=_SECONDS, scale=scale)

    tooltip = [
        alt.Tooltip("tokens:Q", title="tokens", format=","),
        alt.Tooltip("load_s:Q", title="load (s)", format=",.3~r"),
        alt.Tooltip("prefill_low_s:Q", title="compute from (s)", format=",.3~r"),
        alt.Tooltip("prefill_high_s:Q", title="to (s)", format=",.3~r"),
        alt.Tooltip("basis:N", title="throughput"),
    ]
    interval = load.transform_filter("isValid(datum.load_low_s) && isValid(datum.load_high_s)")
    layers = [
        prefill.mark_area(opacity=0.3).encode(
            x, channel("prefill_low_s"), alt.Y2("prefill_high_s"), color=colour
        ),
        interval.mark_rule().encode(x, channel("load_low_s"), alt.Y2("load_high_s"), color=colour),
        load.mark_line().encode(x, y, color=colour),
        load.mark_point().encode(x, y, color=colour, tooltip=tooltip),
    ]
    return layered(layers)
