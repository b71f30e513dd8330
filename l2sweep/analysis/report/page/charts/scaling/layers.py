"""The two charts of a scaling curve: its rates, and its fairness."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from l2sweep.analysis.report.page.charts.style import (
    COLOURS,
    GREY,
    layered,
    lines,
    measured_axis,
    series_channels,
    value_axis,
    value_scale,
)

RATES = ("throughput", "all active", "sum of clients")
"""The three rates, as the table of a sweep names them."""
IDEAL = "one client times n"


def rate_chart(clients: Sequence[int], values: Sequence[float | None], unit: str) -> alt.LayerChart:
    """Return the chart of the rates, with the ideal line and a ring where throughput stops growing.

    Args:
        clients: All numbers of clients of the figure.
        values: All rates of the figure, with their intervals and the ideal.
        unit: Unit of the rates.
    """
    x, y = _clients_axis(clients), value_axis("value", unit, value_scale(values))
    tooltip = [
        alt.Tooltip("series:N", title="rate"),
        *_tooltip(unit, ",.4~r"),
        alt.Tooltip("low:Q", title="interval from", format=",.4~r"),
        alt.Tooltip("high:Q", title="to", format=",.4~r"),
        alt.Tooltip("scaling:Q", title="times one client", format=".3~r"),
    ]
    ideal = _only("ideal").mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1)
    name = _only("ideal_name").mark_text(
        color=GREY, text=IDEAL, align="right", baseline="middle", dx=-14, dy=-2
    )
    ring = _only("stop").mark_point(filled=False, size=190, strokeWidth=2)
    layers = [
        ideal.encode(x, y),
        name.encode(x, y),
        *(_filtered(one, "rate") for one in lines(x, y, RATES, ("low", "high"), tooltip)),
        ring.encode(x, y, color=series_channels(RATES)["color"]),
    ]
    return layered(layers)


def fairness_chart(clients: Sequence[int]) -> alt.LayerChart:
    """Return the chart of the fairness.

    Args:
        clients: All numbers of clients of the figure.
    """
    x, y = _clients_axis(clients), value_axis("value", "fairness", alt.Scale(domain=[0, 1]), ".1f")
    line = _only("fairness").mark_line(color=COLOURS[0])
    point = _only("fairness").mark_point(color=COLOURS[0])
    return layered([line.encode(x, y), point.encode(x, y, tooltip=_tooltip("fairness", ".2f"))])


def _clients_axis(clients: Sequence[int]) -> alt.X:
    return measured_axis("clients", "clients", clients)


def _tooltip(title: str, form: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("clients:Q", title="clients", format=","),
        alt.Tooltip("hosts:Q", title="hosts", format=","),
        alt.Tooltip("processes:Q", title="processes", format=","),
        alt.Tooltip("value:Q", title=title, format=form),
    ]


def _only(kind: str) -> alt.Chart:
    return _filtered(alt.Chart(), kind)


def _filtered(chart: alt.Chart, kind: str) -> alt.Chart:
    return chart.transform_filter(f"datum.kind === '{kind}'")
