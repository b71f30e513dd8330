"""Submit latencies: their distribution, and their percentiles against depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import altair as alt

from l2sweep.analysis.report.contents.points import PointRow
from l2sweep.analysis.report.contents.timing import DepthLatency, Latency, LatencyCurve
from l2sweep.analysis.report.page.charts.figure import PHASES, Figure, Panel, evenly_chosen, in_order, named
from l2sweep.analysis.report.page.charts.style import (
    HEIGHT,
    MOST_SERIES,
    few_labels,
    layered,
    legend_entries,
    legend_of,
    measured_axis,
    series_channels,
    value_axis,
    value_scale,
)

_MS = 1000.0
_PERCENTILES = {"submit_p50_s": "p50", "submit_p99_s": "p99"}


def latency_figures(latency: Latency, points: Sequence[PointRow]) -> list[Figure]:
    """Return the figures of submit latencies.

    Args:
        latency: The latencies of the report.
        points: The points of the report.
    """
    figures = []
    for phase in PHASES:
        curves = [one for one in latency.curves if one.phase == phase]
        if curves:
            figures.append(_distribution(phase, curves, latency.choice))
    for phase in PHASES:
        by_depth = [one for one in latency.by_depth if one.phase == phase]
        by_depth = [one for one in by_depth if not one.is_control] or by_depth
        if by_depth:
            figures.append(_against_depth(phase, by_depth, points))
    return figures


def _title(one: LatencyCurve | DepthLatency) -> str:
    return named(one.adapter, one.cache_state, "control" if one.is_control else None)


def _distribution(phase: str, curves: Sequence[LatencyCurve], choice: str) -> Figure:
    columns: dict[str, list[object]] = {"panel": [], "series": [], "latency_ms": [], "fraction": []}
    values = [value * _MS for one in curves for value in one.latency_s]
    scale = value_scale(values, zero=False)
    panels = []
    titles = in_order(map(_title, curves))
    names = in_order(one.label or "all" for one in curves)
    chart = _steps(scale, names)
    for number, title in enumerate(titles):
        own = [one for one in curves if _title(one) == title]
        for one in own:
            columns["panel"] += [number] * len(one.latency_s)
            columns["series"] += [one.label or "all"] * len(one.latency_s)
            columns["latency_ms"] += [value * _MS for value in one.latency_s]
            columns["fraction"] += one.fraction
        legend = legend_entries(names, [one.label or "all" for one in own], points=False)
        panels.append(Panel(title, chart, HEIGHT, legend))
    caption = ["The share of submits that took at most as long."]
    unfinished = sum(one.unfinished for one in curves)
    if unfinished:
        caption.append(f"{unfinished} submits did not complete: their lines end below 100%.")
    return Figure(
        name=f"submit_latency_{phase}",
        title=f"Submit latency of {phase}",
        caption=" ".join([*caption, choice]).strip(),
        panels=tuple(panels),
        columns=columns,
    )


def _steps(scale: alt.Scale, names: Sequence[str]) -> alt.LayerChart:
    channels = series_channels(names)
    x = alt.X("latency_ms:Q", title="submit latency (ms)", scale=scale, axis=few_labels(scale, ".3~r"))
    y = value_axis("fraction", "share of submits", alt.Scale(type="linear", domain=[0, 1]), ".0%")
    tooltip = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("latency_ms:Q", title="ms", format=",.4~r"),
        alt.Tooltip("fraction:Q", title="share", format=".1%"),
    ]
    line = alt.Chart().mark_line(interpolate="step-after")
    line = line.encode(x, y, color=channels["color"], strokeDash=channels["strokeDash"], tooltip=tooltip)
    return layered([line])


def _against_depth(phase: str, every: Sequence[DepthLatency], points: Sequence[PointRow]) -> Figure:
    columns: dict[str, list[object]] = {
        key: [] for key in ("panel", "series", "percentile", "in_flight", "latency_ms", "is_bound")
    }
    titles = in_order(map(_title, every))
    shown = [evenly_chosen([one for one in every if _title(one) == title], MOST_SERIES) for title in titles]
    series = []
    for number, own in enumerate(shown):
        series.append(in_order(one.label or "all" for one in own))
        for one in own:
            for field, percentile in _PERCENTILES.items():
                for position in one.points:
                    value = getattr(points[position], field)
                    if value is None:
                        continue
                    columns["panel"].append(number)
                    columns["series"].append(one.label or "all")
                    columns["percentile"].append(percentile)
                    columns["in_flight"].append(points[position].in_flight)
                    columns["latency_ms"].append(value * _MS)
                    columns["is_bound"].append(field in points[position].lower_bounds)
    depths = [points[at].in_flight for own in shown for one in own for at in one.points]
    values = [value for value in columns["latency_ms"] if isinstance(value, float)]
    x = measured_axis("in_flight", "submits in flight", depths)
    y = value_axis("latency_ms", "ms", value_scale(values), ".3~r")
    caption = ["Submit latencies of a point. Solid: the median (p50); dashed: the 99th percentile (p99)."]
    if "p99" not in columns["percentile"]:
        caption.append("There is no p99: it takes 100 submits.")
    if any(columns["is_bound"]):
        caption.append("An upward triangle is a lower bound: submits timed out.")
    number_shown = sum(map(len, shown))
    if number_shown < len(every):
        caption.append(
            f"{number_shown} of {len(every)} lines are drawn; the table of all points has the others."
        )
    names = in_order(name for of_panel in series for name in of_panel)
    chart = _depth_chart(x, y, names)
    panels = []
    for title, of_panel in zip(titles, series, strict=True):
        legend = [replace(one, shape="circle") for one in legend_entries(names, of_panel, line=False)]
        panels.append(Panel(title, chart, HEIGHT, tuple(legend)))
    return Figure(
        name=f"submit_latency_{phase}_over_depth",
        title=f"Submit latency of {phase} against depth",
        caption=" ".join(caption),
        panels=tuple(panels),
        columns=columns,
    )


def _depth_chart(x: alt.X, y: alt.Y, names: Sequence[str]) -> alt.LayerChart:
    percentiles = list(_PERCENTILES.values())
    dash = alt.StrokeDash(
        "percentile:N",
        scale=alt.Scale(domain=percentiles, range=[[1, 0], [5, 3]]),
        legend=legend_of(percentiles),
    )
    colour = series_channels(names)["color"]
    shape = alt.Shape(
        "is_bound:N", scale=alt.Scale(domain=[False, True], range=["circle", "triangle-up"]), legend=None
    )
    tooltip = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip("percentile:N", title="percentile"),
        alt.Tooltip("in_flight:Q", title="in flight", format=","),
        alt.Tooltip("latency_ms:Q", title="ms", format=",.4~r"),
    ]
    line = alt.Chart().mark_line().encode(x, y, color=colour, strokeDash=dash)
    point = alt.Chart().mark_point().encode(x, y, color=colour, shape=shape, tooltip=tooltip)
    return layered([line, point])
