"""The comparison with the base as a forest plot."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt

from l2sweep.analysis.report.contents.compared import Compared, RatioRow
from l2sweep.analysis.report.page.charts.figure import Entry, Figure, Panel, named
from l2sweep.analysis.report.page.charts.style import (
    COLOURS,
    GREY,
    ONE_ROW,
    layered,
    legend_of,
    reference_line,
)

_NAME = "comparison"
_LINE_HEIGHT = 24
_VERDICTS = {
    "slower": Entry("slower", COLOURS[1], "triangle-right"),
    "faster": Entry("faster", COLOURS[0], "triangle-left"),
    "same": Entry("same", COLOURS[2], "circle"),
    "inconclusive": Entry("inconclusive", GREY, "diamond"),
}
"""How each verdict looks: the triangles point to where the ratio lies."""
_COLUMNS = ("panel", "line", "name", "ratio", "low", "high", "q", "verdict", "reason")


def comparison_figures(compared: Compared | None) -> list[Figure]:
    """Return the forest plot; nothing without a base.

    Args:
        compared: The comparison of the report.
    """
    if compared is None or not compared.rows:
        return []
    groups: dict[str, list[RatioRow]] = {}
    for row in compared.rows:
        groups.setdefault(_group(row), []).append(row)
    # A heading and its rows, one below the other: the label of each line, and the row that is drawn on it.
    lines: list[tuple[str, RatioRow | None]] = []
    for title, rows in groups.items():
        lines += [(title, None), *((_label(row), row) for row in rows)]
    columns: dict[str, list[object]] = {name: [] for name in _COLUMNS}
    for place, (_, drawn) in enumerate(lines):
        if drawn is not None:
            columns["panel"].append(0)
            columns["line"].append(place)
            for name in _COLUMNS[2:]:
                columns[name].append(getattr(drawn, name))
    found = [entry for verdict, entry in _VERDICTS.items() if verdict in columns["verdict"]]
    labels = [label for label, _ in lines]
    headings = [place for place, (_, row) in enumerate(lines) if row is None]
    chart = _chart(labels, headings, _domain(compared), compared.threshold, found)
    caption = "Ratio of durations to the base, with its 95% interval: right of 1 is slower. "
    caption += f"In the grey band, changes are smaller than {compared.threshold:.0%} and no finding."
    points = sum(not row.is_total and not row.is_control for row in compared.rows)
    if points < compared.all_points:
        caption += f" {points} of {compared.all_points} points are drawn, those with the largest change."
    return [
        Figure(
            name=_NAME,
            title="Comparison with the base",
            caption=caption,
            panels=(Panel("", chart, len(lines) * _LINE_HEIGHT, tuple(found)),),
            columns=columns,
        )
    ]


def _group(row: RatioRow) -> str:
    if row.is_total:
        return "Controls, all points" if row.is_control else "All points together"
    return named(row.adapter, row.phase, row.cache_state, "control" if row.is_control else None)


def _label(row: RatioRow) -> str:
    if row.is_total:
        return named(row.adapter, row.phase, row.cache_state)
    return row.settings or row.name


def _domain(compared: Compared) -> list[float]:
    """Return the range of the axis: that of the ratios and of ends of intervals that are not far away."""
    ratios = [row.ratio for row in compared.rows]
    widest = max(2.0, *(max(ratio, 1 / ratio) * 1.25 for ratio in ratios if ratio > 0))
    ends = [end for row in compared.rows for end in (row.low, row.high) if 1 / widest < end < widest]
    values = [*ratios, *ends, 1 - compared.threshold, 1 + compared.threshold]
    return [min(values) / 1.04, max(values) * 1.04]


def _chart(
    labels: Sequence[str],
    headings: Sequence[int],
    domain: Sequence[float],
    threshold: float,
    found: Sequence[Entry],
) -> alt.LayerChart:
    scale = alt.Scale(type="log", domain=list(domain), nice=False)
    title = "ratio of durations, now / base"
    x = alt.X("ratio:Q", title=title, scale=scale, axis=alt.Axis(format=".3~r", tickCount=6))
    axis = alt.Axis(
        # Lines are told apart by their place: two of them may have the same label. JSON is a literal of an
        # expression, so that a label cannot become code.
        labelExpr=f"{json.dumps(list(labels))}[datum.value]",
        labelFontWeight=alt.condition(_is_one_of(headings), alt.value("bold"), alt.value("normal")),
        labelLimit=300,
        labelOverlap=False,
        labelPadding=8,
    )
    y = alt.Y("line:O", title=None, scale=alt.Scale(domain=list(range(len(labels)))), axis=axis)
    names = [one.name for one in found]

    def channel(kind: type[alt.Color] | type[alt.Shape], values: list[str]) -> alt.Color | alt.Shape:
        return kind("verdict:N", scale=alt.Scale(domain=names, range=values), legend=legend_of(names))

    colour = channel(alt.Color, [one.colour for one in found])
    shape = channel(alt.Shape, [one.shape for one in found])
    tooltip = [
        alt.Tooltip("name:N", title="point"),
        *(alt.Tooltip(f"{name}:Q", title=name, format=".3f") for name in ("ratio", "low", "high")),
        alt.Tooltip("q:Q", title="q", format=".2~g"),
        alt.Tooltip("verdict:N", title="verdict"),
        alt.Tooltip("reason:N", title="because"),
    ]
    band = alt.Chart(ONE_ROW).mark_rect(color=GREY, opacity=0.18, clip=True)
    low = alt.X("low:Q", title=title, scale=scale)
    interval = alt.Chart().mark_rule(clip=True).encode(low, alt.X2("high"), y, color=colour)
    point = alt.Chart().mark_point(size=70).encode(x, y, color=colour, shape=shape, tooltip=tooltip)
    band = band.encode(x=alt.datum(1 - threshold), x2=alt.datum(1 + threshold))
    return layered([band, reference_line(1.0, vertical=True), interval, point])


def _is_one_of(places: Sequence[int]) -> str:
    return f"indexof({json.dumps(list(places))}, datum.value) >= 0"
