"""How much of the device's throughput is reached, and with how many requests at the device."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from l2sweep.analysis.report.contents.curves import MeasuredSetting, Throughput
from l2sweep.analysis.report.page.charts.figure import PHASES, Figure, Panel, evenly_chosen, in_order, named
from l2sweep.analysis.report.page.charts.style import (
    GREY,
    HEIGHT,
    MOST_SERIES,
    measured_axis,
    reference_line,
    series_channels,
    value_axis,
    value_scale,
)
from l2sweep.analysis.report.page.charts.throughput import SETTINGS, looked_up, setting_columns

_X_TITLE = "keys in flight (keys of a submit x submits in flight)"
_MOST_PANELS = 8


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
            figures.append(_shares(phase, shares, throughput.settings))
        depths = [at for at in own if throughput.settings[at].queue_depth is not None]
        if depths:
            figures.append(_depths(phase, depths, throughput.settings))
    return figures


def _shares(phase: str, positions: Sequence[int], settings: Sequence[MeasuredSetting]) -> Figure:
    drawn = [settings[at] for at in positions]
    values = [value for one in drawn for value in (one.fio_share, one.fio_share_low, one.fio_share_high)]
    y = value_axis("fio_share", "share of fio", value_scale([*values, 1.0]), ".0%")
    caption = "Throughput as a share of what fio reaches with as many threads as keys are in flight. "
    caption += "Dashed: 100%, as fast as fio. Colours are object sizes."
    if any(one.fio_share_low is not None for one in drawn):
        caption += " Bars are 95% intervals."
    interval = ("fio_share_low", "fio_share_high")
    return _figure(
        f"share_of_fio_{phase}", f"Share of the ceiling, {phase}", caption, positions, settings, y, interval
    )


def _depths(phase: str, positions: Sequence[int], settings: Sequence[MeasuredSetting]) -> Figure:
    drawn = [settings[at] for at in positions]
    y = value_axis(
        "queue_depth", "requests at the device", value_scale([one.queue_depth for one in drawn]), ".3~r"
    )
    caption = (
        "Mean number of requests that the device had at a time, counted by the kernel while the phase ran. "
    )
    caption += (
        "Colours are object sizes. A line that stays low while keys in flight double shows that requests do "
    )
    caption += "not reach the device together."
    return _figure(
        f"queue_depth_{phase}", f"Achieved queue depth, {phase}", caption, positions, settings, y, None
    )


def _figure(
    name: str,
    title: str,
    caption: str,
    positions: Sequence[int],
    settings: Sequence[MeasuredSetting],
    y: alt.Y,
    interval: tuple[str, str] | None,
) -> Figure:
    by_panel: dict[str, list[int]] = {}
    for at in positions:
        one = settings[at]
        options = one.options if len({settings[other].options for other in positions}) > 1 else None
        by_panel.setdefault(named(one.adapter, one.temperature, options), []).append(at)
    titles = evenly_chosen(list(by_panel), _MOST_PANELS)
    if len(titles) < len(by_panel):
        caption += f" {len(titles)} of {len(by_panel)} panels are drawn."
    sizes = sorted({settings[at].data_size_kb for at in positions})
    chosen = evenly_chosen(sizes, MOST_SERIES)
    if len(chosen) < len(sizes):
        caption += f" {len(chosen)} of {len(sizes)} object sizes are drawn."
    columns: dict[str, list[object]] = {"panel": [], "s": [], "series": [], "keys_in_flight": []}
    for number, panel in enumerate(titles):
        for at in by_panel[panel]:
            one = settings[at]
            if one.data_size_kb in chosen:
                columns["panel"].append(number)
                columns["s"].append(at)
                columns["series"].append(f"{one.data_size_kb:,} KiB")
                columns["keys_in_flight"].append(one.num_keys * one.in_flight)
    names = in_order(f"{size:,} KiB" for size in chosen)
    x = measured_axis(
        "keys_in_flight", _X_TITLE, [one for one in columns["keys_in_flight"] if isinstance(one, int)]
    )
    panels = [
        Panel(panel, _chart(name, number, x, y, names, interval), HEIGHT)
        for number, panel in enumerate(titles)
    ]
    return Figure(
        name=name,
        title=title,
        caption=caption,
        panels=tuple(panels),
        datasets={name: columns, SETTINGS: setting_columns(settings)},
    )


def _chart(
    name: str, panel: int, x: alt.X, y: alt.Y, names: Sequence[str], interval: tuple[str, str] | None
) -> alt.LayerChart:
    channels = series_channels(names)
    field = "fio_share" if interval else "queue_depth"
    tooltip = [
        alt.Tooltip("series:N", title="object size"),
        alt.Tooltip("num_keys:Q", title="keys", format=","),
        alt.Tooltip("in_flight:Q", title="in flight", format=","),
        alt.Tooltip(f"{field}:Q", title=y["title"], format=".1%" if interval else ",.3~r"),
        alt.Tooltip("limit:N", title="limited by"),
    ]
    point = alt.Chart().mark_point()
    layers = [point.encode(x, y, color=channels["color"], shape=channels["shape"], tooltip=tooltip)]
    if interval:
        low, high = interval
        ends = alt.Y(f"{low}:Q", title=y["title"], scale=y["scale"])
        bars = alt.Chart().transform_filter(f"isValid(datum.{low})").mark_rule()
        layers += [bars.encode(x, ends, alt.Y2(high), color=channels["color"]), reference_line(1.0)]
    else:
        # As many requests as keys: what one request a key would give.
        asked = alt.Y("keys_in_flight:Q", title=y["title"], scale=y["scale"])
        layers.append(
            alt.Chart().mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1, clip=True).encode(x, asked)
        )
    chart = alt.layer(*layers, data=alt.NamedData(name)).transform_filter(f"datum.panel === {panel}")
    fields = ["num_keys", "in_flight", "fio_share", "fio_share_low", "fio_share_high", "queue_depth", "limit"]
    return looked_up(chart, fields)
