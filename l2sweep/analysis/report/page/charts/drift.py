"""Durations of rounds over the time of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from l2sweep.analysis.report.contents.timing import Drift, DriftSeries
from l2sweep.analysis.report.page.charts.figure import PHASES, Figure, Panel, in_order, named
from l2sweep.analysis.report.page.charts.style import (
    HEIGHT,
    layered,
    legend_entries,
    reference_line,
    series_channels,
    value_axis,
    value_scale,
)

_NAME = "drift"
_MINUTES_FROM_S = 300.0


def drift_figures(drift: Drift) -> list[Figure]:
    """Return the durations of rounds over time; nothing if there are none.

    Args:
        drift: The drift of the report.
    """
    series = [one for one in drift.series if one.ratio]
    if not series:
        return []
    last_s = max(max(one.elapsed_s) for one in series)
    unit, divisor = ("min", 60.0) if last_s >= _MINUTES_FROM_S else ("s", 1.0)
    phases = [phase for phase in PHASES if any(one.phase == phase for one in series)]
    scale = value_scale([*(value for one in series for value in one.ratio), 1.0], zero=False)
    names = in_order(map(_label, series))
    chart = _chart(unit, scale, names)
    columns: dict[str, list[object]] = {"panel": [], "series": [], "elapsed": [], "ratio": []}
    panels = []
    for number, phase in enumerate(phases):
        own = [one for one in series if one.phase == phase]
        for one in own:
            columns["panel"] += [number] * len(one.ratio)
            columns["series"] += [_label(one)] * len(one.ratio)
            columns["elapsed"] += [value / divisor for value in one.elapsed_s]
            columns["ratio"] += one.ratio
        panels.append(Panel(phase, chart, HEIGHT, legend_entries(names, line=False)))
    caption = (
        "Duration of each round divided by the median of its point. Dashed: the median. Points that rise "
    )
    caption += "or fall over time show that the host or the storage changed during the sweep."
    return [
        Figure(
            name=_NAME,
            title="Round durations over time",
            caption=f"{caption} {drift.shown}".strip(),
            panels=tuple(panels),
            columns=columns,
        )
    ]


def _label(one: DriftSeries) -> str:
    return named(one.adapter, one.cache_state, "control" if one.is_control else None)


def _chart(unit: str, scale: alt.Scale, names: Sequence[str]) -> alt.LayerChart:
    channels = series_channels(names)
    x = alt.X("elapsed:Q", title=f"time since the start of the sweep ({unit})", axis=alt.Axis(tickCount=6))
    y = value_axis("ratio", "duration / median", scale, ".2~f")
    tooltip = [
        alt.Tooltip("series:N", title="adapter"),
        alt.Tooltip("elapsed:Q", title=unit, format=",.1f"),
        alt.Tooltip("ratio:Q", title="duration / median", format=".3f"),
    ]
    point = alt.Chart().mark_point(size=22, opacity=0.65)
    point = point.encode(x, y, color=channels["color"], shape=channels["shape"], tooltip=tooltip)
    return layered([point, reference_line(1.0)])
