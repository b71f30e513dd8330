"""Throughput against object size, submits in flight and keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import altair as alt

from l2sweep.analysis.report.contents.curves import Curve, HeatMap, MeasuredSetting, Throughput
from l2sweep.analysis.report.page.charts.figure import (
    PHASES,
    Figure,
    Panel,
    columns_of,
    evenly_chosen,
    in_order,
    named,
    side_by_side,
)
from l2sweep.analysis.report.page.charts.style import (
    GREY,
    HEIGHT,
    MOST_SERIES,
    SIZE_LABELS,
    layered,
    legend_entries,
    lines,
    measured_axis,
    series_channels,
    value_axis,
    value_scale,
)
from l2sweep.analysis.tune.knee import WITHIN

Drawn = TypeVar("Drawn", Curve, HeatMap)

FIELDS = {
    "data_size_kb": "object size",
    "in_flight": "submits in flight",
    "num_keys": "keys of a submit",
}
"""The fields of the workload, as titles of axes."""
_SHOWN = (
    *FIELDS,
    *("rate", "rate_low", "rate_high", "processes", "is_knee", "is_recommended"),
    *("fio_best_rate", "fio_share", "fio_share_low", "fio_share_high", "limit", "queue_depth"),
)


def setting_columns(settings: Sequence[MeasuredSetting]) -> dict[str, list[Any]]:
    """Return what figures show of settings, in the order of their positions.

    Args:
        settings: All settings of the report.
    """
    return columns_of(settings, _SHOWN)


def throughput_figures(throughput: Throughput) -> list[Figure]:
    """Return a figure for each field of the workload and phase that was measured at several values.

    Args:
        throughput: The throughput of the report.
    """
    figures = []
    for over in FIELDS:
        for phase in PHASES:
            curves = [one for one in throughput.curves if (one.over, one.phase) == (over, phase)]
            # A control is no choice of a user. It is drawn if nothing else was measured.
            curves = [one for one in curves if not one.is_control] or curves
            if curves:
                figures.append(_figure(over, phase, curves, throughput.settings))
    return figures


def _figure(over: str, phase: str, curves: Sequence[Curve], settings: Sequence[MeasuredSetting]) -> Figure:
    by_panel: dict[str, list[Curve]] = {}
    for curve in side_by_side(curves):
        control = "control" if curve.is_control else None
        by_panel.setdefault(named(curve.adapter, curve.temperature, control), []).append(curve)
    shown = {title: chosen(of_panel, MOST_SERIES, settings) for title, of_panel in by_panel.items()}
    drawn = [
        settings[position] for chosen in shown.values() for curve in chosen for position in curve.settings
    ]
    values = [value for one in drawn for value in (one.rate, one.rate_low, one.rate_high, one.fio_best_rate)]
    x = measured_axis(
        over,
        FIELDS[over],
        [getattr(one, over) for one in drawn],
        **({"labels": SIZE_LABELS} if over == "data_size_kb" else {}),
    )
    y = value_axis("rate", drawn[0].unit, value_scale(values))
    names = in_order(_label(curve) for chosen in shown.values() for curve in chosen)
    chart = _chart(over, x, y, names)
    columns: dict[str, list[object]] = {"panel": [], "series": [], "s": [], "kind": []}
    panels = []
    for number, (title, of_panel) in enumerate(shown.items()):
        _add_rows(columns, number, of_panel, settings)
        legend = legend_entries(names, [_label(curve) for curve in of_panel])
        panels.append(Panel(title, chart, HEIGHT, legend))
    hidden = len(curves) - sum(map(len, shown.values()))
    return Figure(
        name=f"throughput_{phase}_over_{over}",
        title=f"Throughput of {phase} against {FIELDS[over]}",
        caption=_caption(drawn, hidden, len(curves), any(one.knee is not None for one in curves)),
        panels=tuple(panels),
        columns=columns,
        settings=setting_columns(settings),
    )


def chosen(drawn: Sequence[Drawn], most: int, settings: Sequence[MeasuredSetting]) -> list[Drawn]:
    """Return what a figure shows: what has a recommended setting, and evenly chosen others.

    Args:
        drawn: All curves or heat maps.
        most: The number that is shown at most; at least 4.
        settings: The settings of the report.
    """
    if len(drawn) <= most:
        return list(drawn)
    first = [one for one in drawn if any(settings[position].is_recommended for position in one.settings)]
    first = first[: most - 2]
    rest = evenly_chosen([one for one in drawn if one not in first], most - len(first))
    return [one for one in drawn if one in first or one in rest]


def _label(curve: Curve) -> str:
    also = f"{' and '.join(curve.also_varies)} differ" if curve.also_varies else ""
    return named(curve.label, also) or "all"


def _add_rows(
    columns: dict[str, list[object]], panel: int, curves: Sequence[Curve], settings: Sequence[MeasuredSetting]
) -> None:
    """Add the settings of a panel by position: of its curves, of their knees, and of the ceilings of fio."""
    ceilings = set()
    ends: dict[str, int] = {}

    def add(kind: str, series: str, positions: Sequence[int]) -> None:
        for position in positions:
            for column, value in zip(columns, (panel, series, position, kind), strict=True):
                columns[column].append(value)

    for curve in curves:
        add("curve", _label(curve), curve.settings)
        add("knee", _label(curve), [] if curve.knee is None else [curve.knee])
        known = [at for at in curve.settings if settings[at].fio_best_rate is not None]
        heights = tuple((getattr(settings[at], curve.over), settings[at].fio_best_rate) for at in known)
        if heights not in ceilings:  # curves of the same sizes have the same ceiling
            ceilings.add(heights)
            add("fio", _label(curve), known)
            if known:
                ends[_label(curve)] = known[0]
    if ends:  # one name is enough for all ceilings
        highest = max(ends, key=lambda label: settings[ends[label]].fio_best_rate or 0.0)
        add("fio_name", highest, [ends[highest]])


def _chart(over: str, x: alt.X, y: alt.Y, names: Sequence[str]) -> alt.LayerChart:
    def only(kind: str) -> str:
        return f"datum.kind === '{kind}'"

    unit = y["title"]
    tooltip = [
        alt.Tooltip("series:N", title="line"),
        alt.Tooltip(f"{over}:Q", title=FIELDS[over], format=","),
        alt.Tooltip("rate:Q", title=unit, format=",.4~r"),
        alt.Tooltip("rate_low:Q", title="interval from", format=",.4~r"),
        alt.Tooltip("rate_high:Q", title="to", format=",.4~r"),
        alt.Tooltip("processes:Q", title="processes"),
    ]
    ceiling = alt.Y("fio_best_rate:Q", title=unit, scale=y["scale"])
    fio = alt.Chart().transform_filter(only("fio"))
    fio_line = fio.mark_line(color=GREY, strokeDash=[1, 3], strokeCap="round")
    fio_name = alt.Chart().transform_filter(only("fio_name"))
    fio_name = fio_name.mark_text(color=GREY, text="fio", align="left", baseline="bottom", dy=-3)
    knee = alt.Chart().transform_filter(only("knee")).mark_point(filled=False, size=190, strokeWidth=2)
    layers = [
        fio_line.encode(x, ceiling, detail="series:N"),
        fio_name.encode(x, ceiling),
        *(
            one.transform_filter(only("curve"))
            for one in lines(x, y, names, ("rate_low", "rate_high"), tooltip)
        ),
        knee.encode(x, y, color=series_channels(names)["color"]),
    ]
    return layered(layers)


def _caption(drawn: Sequence[MeasuredSetting], hidden: int, every: int, has_knee: bool) -> str:
    sentences = ["Each point is the median of the processes of a setting."]
    if any(one.rate_low is not None for one in drawn):
        sentences.append("Bars are 95% intervals of the median.")
    else:
        sentences.append("There are no intervals: each setting has fewer than 3 processes.")
    if has_knee:
        enough = f"{1 - WITHIN:.0%} of the best of its line"
        sentences.append(f"A ring marks the knee, the smallest value that reaches {enough}.")
    if any(one.fio_best_rate is not None for one in drawn):
        sentences.append("Dotted: the most that fio reaches on the same device at this size.")
    elif drawn[0].phase != "lookup":  # fio has no lookups
        sentences.append("The ceiling of the device was not measured: there is no fio beside the adapters.")
    if hidden:
        sentences.append(
            f"{every - hidden} of {every} lines are drawn; the table of all points has the others."
        )
    return " ".join(sentences)
