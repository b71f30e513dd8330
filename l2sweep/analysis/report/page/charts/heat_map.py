"""Heat maps of the grid, with the knee marked."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from l2sweep.analysis.report.contents.curves import HeatMap, MeasuredSetting, Throughput
from l2sweep.analysis.report.page.charts.figure import (
    PHASES,
    Figure,
    Panel,
    named,
    side_by_side,
)
from l2sweep.analysis.report.page.charts.style import SIZE_LABELS, is_log, layered
from l2sweep.analysis.report.page.charts.throughput import FIELDS, chosen, setting_columns
from l2sweep.analysis.tune.knee import WITHIN

_MOST_PANELS = 8
_ROW_HEIGHT = 34
_KNEE = "#d55e00"


def heat_map_figures(throughput: Throughput) -> list[Figure]:
    """Return a figure for each phase with heat maps.

    Args:
        throughput: The throughput of the report.
    """
    figures = []
    for phase in PHASES:
        maps = side_by_side([one for one in throughput.heat_maps if one.phase == phase and one.settings])
        if maps:
            figures.append(_figure(phase, maps, throughput.settings))
    return figures


def _figure(phase: str, maps: Sequence[HeatMap], settings: Sequence[MeasuredSetting]) -> Figure:
    shown = chosen(maps, _MOST_PANELS, settings)
    drawn = [settings[position] for one in shown for position in one.settings]
    rates = [one.rate for one in drawn if one.rate is not None]
    columns: dict[str, list[object]] = {"panel": [], "s": []}
    fields = {(one.x, one.y) for one in shown}
    charts = {(x, y): _chart(x, y, rates, drawn[0].unit) for x, y in fields}
    panels = []
    for number, one in enumerate(shown):
        columns["panel"] += [number] * len(one.settings)
        columns["s"] += one.settings
        rows = len({getattr(settings[position], one.y) for position in one.settings})
        title = named(one.adapter, one.temperature, one.label)
        panels.append(Panel(title, charts[one.x, one.y], rows * _ROW_HEIGHT))
    caption = [
        f"Each cell is a setting that was measured; its number is the median throughput in {drawn[0].unit}."
    ]
    if any(one.is_knee for one in drawn):
        enough = f"{1 - WITHIN:.0%} of the best with the same size and keys"
        caption.append(f"Outlined: the knee, the fewest submits in flight that reach {enough}.")
    if any(one.rate is None for one in drawn):
        caption.append("An empty cell was tried, and no process completed.")
    if len(shown) < len(maps):
        caption.append(f"{len(shown)} of {len(maps)} maps are drawn; the table of all points has the others.")
    return Figure(
        name=f"heat_map_{phase}",
        title=f"Throughput of {phase} over the grid",
        caption=" ".join(caption),
        panels=tuple(panels),
        columns=columns,
        settings=setting_columns(settings),
    )


def _chart(over_x: str, over_y: str, rates: Sequence[float], unit: str) -> alt.LayerChart:
    logarithmic = is_log(rates)
    scale = alt.Scale(
        scheme="cividis", type="log" if logarithmic else "linear", domain=[min(rates), max(rates)], nice=False
    )
    # The middle of the colours: above it they are light, and numbers on them dark.
    middle = (min(rates) * max(rates)) ** 0.5 if logarithmic else (min(rates) + max(rates)) / 2
    x = alt.X(f"{over_x}:O", title=FIELDS[over_x], axis=_axis(over_x))
    y = alt.Y(f"{over_y}:O", title=FIELDS[over_y], sort="descending", axis=_axis(over_y))
    tooltip = [
        *(alt.Tooltip(f"{field}:Q", title=field, format=",") for field in FIELDS),
        alt.Tooltip("rate:Q", title=unit, format=",.4~r"),
        alt.Tooltip("processes:Q", title="processes"),
    ]
    cells = (
        alt.Chart()
        .mark_rect()
        .encode(x, y, color=alt.Color("rate:Q", scale=scale, legend=None), tooltip=tooltip)
    )
    light = alt.condition(f"datum.rate > {middle}", alt.value("#000000"), alt.value("#ffffff"))
    numbers = alt.Chart().transform_filter("isValid(datum.rate)").mark_text(fontSize=11)
    numbers = numbers.encode(x, y, color=light, text=alt.Text("rate:Q", format=",.3~r"))
    knee = alt.Chart().transform_filter("datum.is_knee").mark_rect(fillOpacity=0, stroke=_KNEE, strokeWidth=3)
    return layered([cells, numbers, knee.encode(x, y)])


def _axis(field: str) -> alt.Axis:
    return alt.Axis(labelAngle=0, labelExpr=SIZE_LABELS if field == "data_size_kb" else "datum.label")
