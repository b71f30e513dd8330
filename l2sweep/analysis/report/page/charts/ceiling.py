"""How much of the device's throughput is reached, and with how many requests at the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from l2sweep.analysis.report.contents.curves import MeasuredSetting, Throughput
from l2sweep.analysis.report.page.charts.figure import PHASES, Figure, Panel, evenly_chosen, named
from l2sweep.analysis.report.page.charts.style import (
    GREY,
    HEIGHT,
    MOST_SERIES,
    layered,
    legend_entries,
    measured_axis,
    reference_line,
    series_channels,
    value_axis,
    value_scale,
)
from l2sweep.analysis.report.page.charts.throughput import setting_columns
from l2sweep.analysis.report.page.texts import size_in_words

_X_TITLE = "keys in flight (keys of a submit x submits in flight)"
_MOST_PANELS = 8


@dataclass(frozen=True)
class _Drawn:
    """What one figure shows of settings: a field of theirs, with its axis and interval."""

    name: str
    title: str
    caption: str
    field: str
    y: alt.Y
    interval: tuple[str, str] | None


def ceiling_figures(throughput: Throughput) -> list[Figure]:
    """Return the share of fio's throughput and the queue depth at the device, for each phase that has them.

    Args:
        throughput: The throughput of the report.
    """
    figures = []
    for phase in PHASES:
        own = [at for at, one in enumerate(throughput.settings) if one.phase == phase and not one.is_control]
        shares = [at for at in own if throughput.settings[at].fio_share is not None]
        if shares:
            figures.append(_figure(_shares(phase, shares, throughput.settings), shares, throughput.settings))
        depths = [at for at in own if throughput.settings[at].queue_depth is not None]
        if depths:
            figures.append(_figure(_depths(phase, depths, throughput.settings), depths, throughput.settings))
    return figures


def _shares(phase: str, positions: Sequence[int], settings: Sequence[MeasuredSetting]) -> _Drawn:
    drawn = [settings[at] for at in positions]
    values = [value for one in drawn for value in (one.fio_share, one.fio_share_low, one.fio_share_high)]
    caption = "Throughput as a share of what fio reaches with as many threads as keys are in flight. "
    caption += "Dashed: 100%, as fast as fio. Colours are object sizes."
    if any(one.fio_share_low is not None for one in drawn):
        caption += " Bars are 95% intervals."
    return _Drawn(
        name=f"share_of_fio_{phase}",
        title=f"Share of the ceiling, {phase}",
        caption=caption,
        field="fio_share",
        y=value_axis("fio_share", "share of fio", value_scale([*values, 1.0]), ".0%"),
        interval=("fio_share_low", "fio_share_high"),
    )


def _depths(phase: str, positions: Sequence[int], settings: Sequence[MeasuredSetting]) -> _Drawn:
    scale = value_scale([settings[at].queue_depth for at in positions])
    caption = "Mean number of requests that the device had at a time, counted by the kernel while the phase "
    caption += "ran. Dashed: one request for each key in flight. Colours are object sizes."
    return _Drawn(
        name=f"queue_depth_{phase}",
        title=f"Achieved queue depth, {phase}",
        caption=caption,
        field="queue_depth",
        y=value_axis("queue_depth", "requests at the device", scale, ".3~r"),
        interval=None,
    )


def _figure(what: _Drawn, positions: Sequence[int], settings: Sequence[MeasuredSetting]) -> Figure:
    caption = what.caption
    several_options = len({settings[at].options for at in positions}) > 1
    by_panel: dict[str, list[int]] = {}
    for at in positions:
        one = settings[at]
        title = named(one.adapter, one.temperature, one.options if several_options else None)
        by_panel.setdefault(title, []).append(at)
    titles = evenly_chosen(list(by_panel), _MOST_PANELS)
    if len(titles) < len(by_panel):
        caption += f" {len(titles)} of {len(by_panel)} panels are drawn."
    every_size = sorted({settings[at].data_size_kb for at in positions})
    sizes = evenly_chosen(every_size, MOST_SERIES)
    if len(sizes) < len(every_size):
        caption += f" {len(sizes)} of {len(every_size)} object sizes are drawn."
    rows = [
        (number, at, size_in_words(settings[at].data_size_kb), settings[at].num_keys * settings[at].in_flight)
        for number, title in enumerate(titles)
        for at in by_panel[title]
        if settings[at].data_size_kb in sizes
    ]
    names = [size_in_words(size) for size in sizes]
    x = measured_axis("keys_in_flight", _X_TITLE, [keys for *_, keys in rows])
    legend = legend_entries(names, line=False)
    chart = _chart(what, x, names)
    panels = [Panel(title, chart, HEIGHT, legend) for title in titles]
    columns = dict(zip(("panel", "s", "series", "keys_in_flight"), zip(*rows, strict=True), strict=True))
    return Figure(
        name=what.name,
        title=what.title,
        caption=caption,
        panels=tuple(panels),
        columns=columns,
        settings=setting_columns(settings),
    )


def _chart(what: _Drawn, x: alt.X, names: Sequence[str]) -> alt.LayerChart:
    channels = series_channels(names)
    colour, unit, scale = channels["color"], what.y["title"], what.y["scale"]
    tooltip = [
        alt.Tooltip("series:N", title="object size"),
        alt.Tooltip("num_keys:Q", title="keys", format=","),
        alt.Tooltip("in_flight:Q", title="in flight", format=","),
        alt.Tooltip(f"{what.field}:Q", title=unit, format=".1%" if what.interval else ",.3~r"),
        alt.Tooltip("limit:N", title="limited by"),
    ]
    point = alt.Chart().mark_point().encode(x, what.y, color=colour, shape=channels["shape"], tooltip=tooltip)
    if what.interval:
        low, high = what.interval
        bars = alt.Chart().transform_filter(f"isValid(datum.{low})").mark_rule()
        bars = bars.encode(x, alt.Y(f"{low}:Q", title=unit, scale=scale), alt.Y2(high), color=colour)
        layers = [bars, point, reference_line(1.0)]
    else:
        asked = alt.Chart().mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1, clip=True)
        layers = [asked.encode(x, alt.Y("keys_in_flight:Q", title=unit, scale=scale)), point]
    return layered(layers)
