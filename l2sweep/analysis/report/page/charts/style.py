"""How figures look: colours, shapes and axes that all of them share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import altair as alt

from l2sweep.analysis.report.page.charts.figure import Entry

COLOURS = ("#0072b2", "#d55e00", "#00916a", "#c06a9c", "#b07d00", "#3d8fc9", "#7a7f85")
"""The colours of Okabe and Ito ("Color Universal Design", 2008), of which the light ones are darker here:
each has a contrast of 3 to the light and to the dark page (WCAG 2.2, 1.4.11).
"""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (4, 4), (1, 3), (10, 4))
GREY = "#7a7f85"
"""Of what is no measurement: reference lines and their labels. Legible on the light and on the dark page."""
ONE_ROW = alt.sequence(0, 1)
"""The data of a mark that is drawn once, and not for each row."""
ROWS = "rows"
"""The data set of each chart."""
HEIGHT = 230
"""Height of a panel in pixels."""
MOST_SERIES = 7
"""Series of a panel: as many as there are colours."""
_LEGEND_CHARACTERS = 44  # that fit beside each other on a phone

_TEXT = {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
_INK = {"labelColor": "#59626b", "titleColor": "#1c2024"}
CONFIG: dict[str, Any] = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif",
    "mark": {"aria": False},  # a screen reader reads the description, and not each of a thousand marks
    "view": {"stroke": None},
    "axis": {
        **_TEXT,
        **_INK,
        "gridColor": "#dfe3e6",
        "domainColor": GREY,
        "tickColor": GREY,
        "labelOverlap": "greedy",
    },
    "axisX": {"grid": False},
    # The title stands above the axis, where it takes no width.
    "axisY": {
        "domain": False,
        "ticks": False,
        "titleAngle": 0,
        "titleAlign": "left",
        "titleAnchor": "start",
        "titleBaseline": "bottom",
        "titleX": 0,
        "titleY": -8,
    },
    "legend": {**_TEXT, **_INK, "orient": "top", "labelLimit": 230, "symbolStrokeWidth": 2, "offset": 22},
    "line": {"strokeWidth": 2},
    "point": {"filled": True, "size": 50, "opacity": 1},
    "rule": {"strokeWidth": 1.5},
}
PHONE: dict[str, Any] = {
    **CONFIG,
    "axis": {**CONFIG["axis"], "labelFontSize": 11, "titleFontSize": 11},
    "axisY": {**CONFIG["axisY"], "labelLimit": 130},
    "legend": {**CONFIG["legend"], "labelFontSize": 11},
}
"""The style on a screen of less than 600 pixels."""


def is_log(values: Sequence[float | None]) -> bool:
    """Return whether an axis is logarithmic: values are positive, and the largest is four times the smallest.

    Args:
        values: The values on the axis; those that are None are not drawn.
    """
    known = [value for value in values if value is not None]
    return bool(known) and min(known) > 0 and max(known) >= 4 * min(known)


def measured_axis(
    field: str, title: str, values: Sequence[float], labels: str = "format(datum.value, ',')"
) -> alt.X:
    """Return a horizontal axis with a label at each value that was measured, logarithmic where values double.

    Args:
        field: The field of the data.
        title: Title with the unit.
        values: The values.
        labels: Expression of a label.
    """
    at = sorted({float(value) for value in values})
    if is_log(at):
        scale = alt.Scale(type="log", base=2, domain=[at[0], at[-1]], nice=False, padding=12)
    else:
        scale = alt.Scale(domain=[at[0], at[-1]], zero=False, nice=False, padding=12)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(values=at, labelExpr=labels))


SIZE_LABELS = (
    "datum.value >= 1048576 ? format(datum.value / 1048576, '.3~r') + ' GiB' : "
    "datum.value >= 1024 ? format(datum.value / 1024, '.3~r') + ' MiB' : format(datum.value, '.3~r') + ' KiB'"
)
"""Labels of a size in KiB."""
TOKEN_LABELS = "datum.value >= 1024 ? format(datum.value / 1024, '.3~r') + 'k' : format(datum.value, '.3~r')"
"""Labels of a number of tokens."""


def value_scale(values: Sequence[float | None], *, zero: bool = True) -> alt.Scale:
    """Return the scale of measured values that all panels of a figure share.

    Args:
        values: All that is drawn, with the limits of intervals.
        zero: Whether an axis that is not logarithmic begins at 0.
    """
    known = [value for value in values if value is not None]
    if is_log(known):
        return alt.Scale(type="log", domain=[min(known) / 1.15, max(known) * 1.15], nice=False)
    low = 0.0 if zero else min(known)
    return alt.Scale(domain=[low, max(known) * 1.05 or 1.0], nice=True, zero=zero)


def value_axis(field: str, title: str, scale: alt.Scale, form: str = ".3~s") -> alt.Y:
    """Return a vertical axis of measured values with few labels.

    Args:
        field: The field of the data.
        title: Title with the unit.
        scale: The scale.
        form: Format of the labels.
    """
    return alt.Y(f"{field}:Q", title=title, scale=scale, axis=few_labels(scale, form))


def few_labels(scale: alt.Scale, form: str) -> alt.Axis:
    """Return an axis with about five labels; a logarithmic one has them at 1, 2 and 5 or at powers of ten.

    Args:
        scale: The scale.
        form: Format of the labels.
    """
    if scale["type"] != "log":
        return alt.Axis(format=form, tickCount=5)
    low, high = scale["domain"]
    steps = (1, 2, 5) if high < 300 * low else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    at = [step * 10.0**decade for decade in decades for step in steps]
    return alt.Axis(format=form, values=[value for value in at if low <= value <= high])


def series_channels(names: Sequence[str]) -> dict[str, Any]:
    """Return the channels that tell series apart by colour, shape and dashes. One series has no legend.

    Args:
        names: The series of the field ``series``, in the order of the legend.
    """
    legend = legend_of(names) if len(names) > 1 else None
    entries = series_entries(names)

    def scale(values: list[Any]) -> alt.Scale:
        return alt.Scale(domain=list(names), range=values)

    return {
        "color": alt.Color("series:N", scale=scale([one.colour for one in entries]), legend=legend),
        "shape": alt.Shape("series:N", scale=scale([one.shape for one in entries]), legend=legend),
        "strokeDash": alt.StrokeDash(
            "series:N", scale=scale([list(one.dash or (1, 0)) for one in entries]), legend=legend
        ),
    }


def series_entries(names: Sequence[str]) -> tuple[Entry, ...]:
    """Return how series are told apart: from the eighth on, a colour occurs again with another shape.

    Args:
        names: The series.
    """
    turned = [(place + place // len(COLOURS)) % len(SHAPES) for place in range(len(names))]
    return tuple(
        Entry(name, COLOURS[place % len(COLOURS)], SHAPES[turn], DASHES[turn])
        for place, (name, turn) in enumerate(zip(names, turned, strict=True))
    )


def legend_entries(
    names: Sequence[str], shown: Sequence[str] | None = None, *, points: bool = True, line: bool = True
) -> tuple[Entry, ...]:
    """Return the legend of a panel: nothing if its figure has one series.

    Args:
        names: The series of the figure.
        shown: Those of the panel; None: all.
        points: Whether the series have points.
        line: Whether the series have lines.
    """
    if len(names) < 2:
        return ()
    return tuple(
        replace(one, shape=one.shape if points else "", dash=one.dash if line else None)
        for one in series_entries(names)
        if shown is None or one.name in shown
    )


def legend_of(names: Sequence[str], title: str | None = None) -> alt.Legend:
    """Return a legend above a panel, with as many columns as fit.

    Args:
        names: The entries.
        title: Its title.
    """
    longest = min(max((len(name) for name in names), default=1), _LEGEND_CHARACTERS)
    return alt.Legend(title=title, columns=max(1, _LEGEND_CHARACTERS // (longest + 5)))


def layered(layers: Sequence[alt.Chart]) -> alt.LayerChart:
    """Return layers over the rows of a panel.

    Args:
        layers: The layers, the lowest first.
    """
    return alt.LayerChart(data=alt.NamedData(ROWS), layer=list(layers))


def lines(
    x: alt.X, y: alt.Y, names: Sequence[str], interval: tuple[str, str] | None, tooltip: Sequence[alt.Tooltip]
) -> list[alt.Chart]:
    """Return the layers of series: lines, points and the intervals of the points.

    Args:
        x: Horizontal channel.
        y: Vertical channel.
        names: The series of the field ``series``.
        interval: The fields with the ends of the intervals; None without intervals.
        tooltip: What is shown where the pointer is.
    """
    channels = series_channels(names)
    colour = channels["color"]
    line = alt.Chart().mark_line().encode(x, y, color=colour, strokeDash=channels["strokeDash"])
    point = (
        alt.Chart().mark_point().encode(x, y, color=colour, shape=channels["shape"], tooltip=list(tooltip))
    )
    if interval is None:
        return [line, point]
    low, high = interval
    rule = alt.Chart().transform_filter(f"isValid(datum.{low}) && isValid(datum.{high})").mark_rule()
    ends = y.copy()
    ends.shorthand = f"{low}:Q"
    return [rule.encode(x, ends, alt.Y2(high), color=colour), line, point]


def reference_line(value: float, *, vertical: bool = False) -> alt.Chart:
    """Return a dashed line at a value that was not measured, such as a ratio of 1.

    Args:
        value: The value.
        vertical: Whether the value is on the horizontal axis.
    """
    mark: alt.Chart = alt.Chart(ONE_ROW).mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1)
    return mark.encode(x=alt.datum(value)) if vertical else mark.encode(y=alt.datum(value))
