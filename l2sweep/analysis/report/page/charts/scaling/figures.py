"""Throughput against the number of clients, with the fairness beside it."""

from __future__ import annotations

from collections.abc import Sequence

from l2sweep.analysis.report.contents.scaling import Scaling, ScalingCurve, ScalingPoint
from l2sweep.analysis.report.page.charts.figure import (
    PHASES,
    Figure,
    Panel,
    evenly_chosen,
    named,
    side_by_side,
)
from l2sweep.analysis.report.page.charts.scaling.layers import RATES, fairness_chart, rate_chart
from l2sweep.analysis.report.page.charts.style import HEIGHT, legend_entries
from l2sweep.analysis.report.page.texts import significant

_MOST_CURVES = 6
_COLUMNS = (*("panel", "kind", "series", "clients", "hosts", "value", "low", "high", "scaling", "processes"),)


def scaling_figures(scaling: Scaling) -> list[Figure]:
    """Return a figure for each phase that was measured with several numbers of clients.

    Args:
        scaling: The scaling of the report.
    """
    figures = []
    for phase in PHASES:
        if curves := [one for one in scaling.curves if one.phase == phase]:
            figures.append(_figure(phase, side_by_side(curves)))
    return figures


def _figure(phase: str, curves: Sequence[ScalingCurve]) -> Figure:
    shown = evenly_chosen(curves, _MOST_CURVES)
    points = [point for curve in shown for point in curve.points]
    clients = [point.clients for point in points]
    rates = rate_chart(clients, _values(points), shown[0].unit)
    fairness = fairness_chart(clients)
    legend = legend_entries(list(RATES))
    columns: dict[str, list[object]] = {name: [] for name in _COLUMNS}
    panels: list[Panel] = []
    for curve in shown:
        title = named(curve.adapter, curve.temperature, "control" if curve.is_control else None, curve.label)
        _add_rates(columns, len(panels), curve)
        panels.append(Panel(title, rates, HEIGHT, legend, numbers=_rates_in_words(curve)))
        _add_fairness(columns, len(panels), curve)
        panels.append(
            Panel(named(title, "fairness"), fairness, HEIGHT, legend, numbers=_fairness_in_words(curve))
        )
    return Figure(
        name=f"scaling_{phase}",
        title=f"Throughput of {phase} against clients",
        caption=_caption(shown, len(curves)),
        panels=tuple(panels),
        columns=columns,
    )


def _values(points: Sequence[ScalingPoint]) -> list[float | None]:
    return [
        value
        for one in points
        for value in (
            *(one.rate, one.rate_low, one.rate_high),
            *(one.all_active_rate, one.sum_of_client_rates, one.ideal_rate),
        )
    ]


def _add_rates(columns: dict[str, list[object]], panel: int, curve: ScalingCurve) -> None:
    measured = [one for one in curve.points if one.rate is not None]
    for one in measured:
        _add(columns, panel, "rate", one, one.rate, RATES[0], (one.rate_low, one.rate_high))
        for series, value in zip(RATES[1:], (one.all_active_rate, one.sum_of_client_rates), strict=True):
            if value is not None:
                _add(columns, panel, "rate", one, value, series)
        if one.clients == curve.stops_at:
            _add(columns, panel, "stop", one, one.rate, RATES[0])
    ideal = [one for one in curve.points if one.ideal_rate is not None]
    for one in ideal:
        _add(columns, panel, "ideal", one, one.ideal_rate)
    if ideal:
        _add(columns, panel, "ideal_name", ideal[-1], ideal[-1].ideal_rate)


def _add_fairness(columns: dict[str, list[object]], panel: int, curve: ScalingCurve) -> None:
    for one in curve.points:
        if one.client_fairness is not None:
            _add(columns, panel, "fairness", one, one.client_fairness)


def _add(
    columns: dict[str, list[object]],
    panel: int,
    kind: str,
    one: ScalingPoint,
    value: float | None,
    series: str | None = None,
    interval: tuple[float | None, float | None] = (None, None),
) -> None:
    row = (
        *(panel, kind, series, one.clients, one.hosts, value, *interval),
        *(one.client_scaling, one.processes),
    )
    for name, cell in zip(_COLUMNS, row, strict=True):
        columns[name].append(cell)


def _rates_in_words(curve: ScalingCurve) -> str:
    """Return the throughput of each number of clients, for a reader who does not see the chart."""
    parts = [f"{one.clients}: {significant(one.rate)}" for one in curve.points if one.rate is not None]
    return f"{curve.unit} by number of clients: {', '.join(parts)}. {curve.sentence}"


def _fairness_in_words(curve: ScalingCurve) -> str:
    parts = [
        f"{one.clients}: {significant(one.client_fairness, 2)}"
        for one in curve.points
        if one.client_fairness is not None
    ]
    return f"Fairness by number of clients: {', '.join(parts)}."


def _caption(shown: Sequence[ScalingCurve], every: int) -> str:
    points = [point for curve in shown for point in curve.points]
    sentences = [
        "Throughput is all that moved from the first start to the last end of each round; all active, what "
        "moved while every client was active; sum of clients, the sum of what each reached by itself. "
        "Each point is the median of the processes."
    ]
    if any(one.rate_low is not None for one in points):
        sentences.append("Bars are 95% intervals of the median.")
    else:
        sentences.append("There are no intervals: each point has fewer than 3 processes.")
    if any(one.ideal_rate is not None for one in points):
        sentences.append("Dashed: one client times the number of clients.")
    else:
        sentences.append("There is no ideal line: one client was not measured.")
    if any(curve.stops_at is not None for curve in shown):
        sentences.append("A ring marks the fewest clients that reach 95% of the most throughput.")
    sentences.append("Fairness is the rate of the slowest client divided by that of the fastest.")
    if len(shown) < every:
        sentences.append(f"{len(shown)} of {every} curves are drawn; the table has the others.")
    return " ".join(sentences)
