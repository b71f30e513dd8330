"""The comparison with the base as a forest plot."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt

from l2sweep.analysis.report.contents.compared import Compared, RatioRow
from l2sweep.analysis.report.page.charts.figure import Figure, Panel, named
from l2sweep.analysis.report.page.charts.style import COLOURS, GREY, legend_of, reference_line

_NAME = "comparison"
_ROW_HEIGHT = 24
_VERDICTS = {
    "slower": (COLOURS[1], "triangle-right"),
    "faster": (COLOURS[0], "triangle-left"),
    "same": (COLOURS[2], "circle"),
    "inconclusive": (GREY, "diamond"),
}
"""Colour and shape of each verdict: the triangles point to where the ratio lies."""


def comparison_figures(compared: Compared | None) -> list[Figure]:
    """Return the forest plot; nothing without a base.

    Args:
        compared: The comparison of the report.
    """
    if compared is None or not compared.rows:
        return []
    by_panel: dict[str, list[RatioRow]] = {}
    for row in compared.rows:
        by_panel.setdefault(_panel_of(row), []).append(row)
    domain = _domain(compared)
    found = [verdict for verdict in _VERDICTS if any(row.verdict == verdict for row in compared.rows)]
    columns: dict[str, list[object]] = {
        key: []
        for key in ("panel", "place", "label", "name", "ratio", "low", "high", "q", "verdict", "reason")
    }
    panels = []
    for number, (title, rows) in enumerate(by_panel.items()):
        for place, row in enumerate(rows):
            own = (
                number,
                place,
                _label(row),
                row.name,
                row.ratio,
                row.low,
                row.high,
                row.q,
                row.verdict,
                row.reason,
            )
            for column, value in zip(columns, own, strict=True):
                columns[column].append(value)
        panels.append(
            Panel(title, _chart(number, rows, domain, compared.threshold, found), len(rows) * _ROW_HEIGHT)
        )
    caption = "Ratio of durations to the base, with its 95% interval: right of 1 is slower. "
    caption += f"In the grey band, changes are smaller than {compared.threshold:.0%} and no finding."
    points = sum(not row.is_total for row in compared.rows)
    if points < compared.all_points:
        caption += f" {points} of {compared.all_points} points are drawn, those with the largest change."
    return [
        Figure(
            name=_NAME,
            title="Comparison with the base",
            caption=caption,
            panels=tuple(panels),
            datasets={_NAME: columns},
        )
    ]


def _panel_of(row: RatioRow) -> str:
    if row.is_total:
        return "All points of an adapter and phase together"
    return named(row.adapter, row.phase, row.cache_state, "control" if row.is_control else None)


def _label(row: RatioRow) -> str:
    if row.is_total:
        return named(row.adapter, row.phase, row.cache_state)
    return row.settings or row.name


def _labels(rows: Sequence[RatioRow]) -> str:
    """Return an expression with the label of each row. JSON makes a text of the expression of each label."""
    return f"{json.dumps([_label(row) for row in rows])}[datum.value]"


def _domain(compared: Compared) -> list[float]:
    """Return the range of the axis: that of the ratios and of ends of intervals that are not far away."""
    ratios = [row.ratio for row in compared.rows]
    widest = max(2.0, *(max(ratio, 1 / ratio) * 1.25 for ratio in ratios if ratio > 0))
    ends = [end for row in compared.rows for end in (row.low, row.high) if 1 / widest < end < widest]
    band = [1 - compared.threshold, 1 + compared.threshold]
    return [min([*ratios, *ends, *band]) / 1.04, max([*ratios, *ends, *band]) * 1.04]


def _chart(
    panel: int, rows: Sequence[RatioRow], domain: Sequence[float], threshold: float, found: Sequence[str]
) -> alt.LayerChart:
    scale = alt.Scale(type="log", domain=list(domain), nice=False)
    x = alt.X(
        "ratio:Q",
        title="ratio of durations, now / base",
        scale=scale,
        axis=alt.Axis(format=".3~r", tickCount=6),
    )
    # Rows are told apart by their place: two of them may have the same label.
    places = list(range(len(rows)))
    axis = alt.Axis(labelExpr=_labels(rows), labelLimit=300, labelPadding=8, grid=False, title=None)
    y = alt.Y("place:O", scale=alt.Scale(domain=places), axis=axis)
    legend = legend_of(found)
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(found), range=[_VERDICTS[one][0] for one in found]),
        legend=legend,
    )
    shape = alt.Shape(
        "verdict:N",
        scale=alt.Scale(domain=list(found), range=[_VERDICTS[one][1] for one in found]),
        legend=legend,
    )
    tooltip = [
        alt.Tooltip("name:N", title="point"),
        *(alt.Tooltip(f"{name}:Q", title=name, format=".3f") for name in ("ratio", "low", "high")),
        alt.Tooltip("q:Q", title="q", format=".2~g"),
        alt.Tooltip("verdict:N", title="verdict"),
        alt.Tooltip("reason:N", title="because"),
    ]
    band = alt.Chart().mark_rect(color=GREY, opacity=0.16, clip=True)
    band = band.encode(x=alt.datum(1 - threshold), x2=alt.datum(1 + threshold))
    interval = (
        alt.Chart().mark_rule(clip=True).encode(alt.X("low:Q", scale=scale), alt.X2("high"), y, color=colour)
    )
    point = alt.Chart().mark_point(size=70).encode(x, y, color=colour, shape=shape, tooltip=tooltip)
    chart = alt.layer(band, reference_line(1.0, vertical=True), interval, point, data=alt.NamedData(_NAME))
    return chart.transform_filter(f"datum.panel === {panel}")
