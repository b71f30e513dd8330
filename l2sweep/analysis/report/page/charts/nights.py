"""The history over nights, with the nights at which a level changed."""

from __future__ import annotations

import itertools

import altair as alt

from l2sweep.analysis.report.contents.compared import Nights, NightSeries
from l2sweep.analysis.report.page.charts.figure import Figure, Panel
from l2sweep.analysis.report.page.charts.style import COLOURS, GREY, layered, value_axis

_NAME = "history"
_HEIGHT = 150
_MS = 1000.0


def history_figures(nights: Nights | None) -> list[Figure]:
    """Return the history; nothing with fewer than two nights.

    Args:
        nights: The history of the report.
    """
    if nights is None:
        return []
    series = [one for one in nights.series if any(value is not None for value in one.duration_s)]
    if not series:
        return []
    columns: dict[str, list[object]] = {key: [] for key in ("panel", "kind", "night", "until", "ms", "text")}

    def add(*values: object) -> None:
        for column, value in zip(columns, values, strict=True):
            columns[column].append(value)

    charts = {changed: _chart(with_changes=changed) for changed in (False, True)}
    panels = []
    for number, one in enumerate(series):
        for night, value in zip(nights.began, one.duration_s, strict=True):
            if value is not None:
                add(number, "night", night, None, value * _MS, None)
        for start, end, level_s in _levels(one, nights):
            add(number, "level", start, end, level_s * _MS, None)
        for change in one.changes:
            add(number, "change", nights.began[change.night], None, None, f"{change.percent:+.0f}%")
        panels.append(Panel(one.name, charts[bool(one.changes)], _HEIGHT, note=_note(one)))
    caption = "Median duration of a round in each night. The axes of durations do not begin at 0. "
    if any(one.changes for one in series):
        caption += "Dashed: a night from which on the level is another; horizontal lines are the levels. "
    if len(series) < nights.all_series:
        caption += f"{len(series)} of {nights.all_series} points are drawn, the largest newest change first. "
    return [
        Figure(
            name=_NAME,
            title="History",
            caption=f"{caption}{nights.note}".strip(),
            panels=tuple(panels),
            columns=columns,
        )
    ]


def _note(one: NightSeries) -> str:
    notes = []
    for change in one.changes:
        what = f": {', '.join(change.environment)}" if change.environment else ""
        notes.append(f"{change.percent:+.0f}% since {change.date}{what}.")
    return " ".join(notes)


def _levels(one: NightSeries, nights: Nights) -> list[tuple[str, str, float]]:
    """Return the first night, the last night and the duration of each level; none if there is one level."""
    if not one.changes:
        return []
    borders = [0, *(change.night for change in one.changes), len(nights.began)]
    durations = [one.changes[0].before_s, *(change.after_s for change in one.changes)]
    return [
        (nights.began[start], nights.began[end - 1], level_s)
        for (start, end), level_s in zip(itertools.pairwise(borders), durations, strict=True)
    ]


def _chart(*, with_changes: bool) -> alt.LayerChart:
    def only(kind: str) -> alt.Chart:
        return alt.Chart().transform_filter(f"datum.kind === '{kind}'")

    x = alt.X("night:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(tickCount=5, format="%b %d"))
    y = value_axis("ms", "ms", alt.Scale(zero=False), ".3~r")
    tooltip = [
        alt.Tooltip("night:T", title="night", format="%Y-%m-%d %H:%M"),
        alt.Tooltip("ms:Q", title="ms", format=",.4~r"),
    ]
    nights = only("night")
    change = only("change")
    text = change.mark_text(color=COLOURS[1], align="left", baseline="top", dx=4, fontWeight="bold")
    layers = [
        nights.mark_line(color=COLOURS[0], strokeWidth=1, opacity=0.6).encode(x, y),
        nights.mark_point(color=COLOURS[0], size=30).encode(x, y, tooltip=tooltip),
    ]
    if with_changes:
        layers += [
            only("level").mark_rule(color=GREY, strokeWidth=2).encode(x, alt.X2("until"), y),
            change.mark_rule(color=COLOURS[1], strokeDash=[4, 3]).encode(x),
            text.encode(x, y=alt.value(0), text="text:N"),
        ]
    return layered(layers)
