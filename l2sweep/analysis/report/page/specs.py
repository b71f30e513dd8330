"""From charts to what Vega-Embed and vl-convert draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import altair as alt

from l2sweep.analysis.report.page.charts.figure import Columns, Figure
from l2sweep.analysis.report.page.charts.style import ROWS

_DIGITS = 7
_OFTEN = 4  # times that a value occurs on average, from which on it is written once
_WIDTH = 420
_COLUMNS = 2
_WITH_LEGEND = ("color", "shape", "strokeDash")


def chart_spec(chart: alt.LayerChart) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart without its rows and its style.

    Args:
        chart: The chart.
    """
    spec = chart.to_dict()
    for name in ("config", "datasets", "$schema"):
        spec.pop(name, None)
    return spec


def without_legends(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a specification without legends: the page has its own, once for all panels.

    Args:
        spec: The specification of a panel.
    """
    layers = [
        {
            **layer,
            "encoding": {
                name: {**channel, "legend": None} if name in _WITH_LEGEND and "scale" in channel else channel
                for name, channel in layer["encoding"].items()
            },
        }
        for layer in spec["layer"]
    ]
    return {**spec, "layer": layers}


def packed(columns: Columns) -> dict[str, Any]:
    """Return columns as the page has them: of a column with few different values, each value is there once.

    Args:
        columns: A data set by column.

    Returns:
        For each column its values; or ``of`` with the different values and ``at`` with their positions; or
        ``of`` with the only value and ``times`` with the number of rows.
    """
    return {name: _packed([_plain(value) for value in values]) for name, values in columns.items()}


def _packed(values: list[Any]) -> list[Any] | dict[str, Any]:
    # The type belongs to the key: True and 1 are equal.
    positions: dict[tuple[type, Any], int] = {}
    at = [positions.setdefault((type(value), value), len(positions)) for value in values]
    if len(positions) * _OFTEN > len(values):
        return values
    if len(positions) == 1:
        return {"of": values[:1], "times": len(values)}
    return {"of": [value for _, value in positions], "at": at}


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: a number with seven digits, None for one that is not finite."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def rows_of(figure: Figure) -> list[dict[str, Any]]:
    """Return the rows of a figure, with the fields of the settings that they refer to.

    Args:
        figure: The figure.
    """
    rows = _by_row(figure.columns)
    if figure.settings is None:
        return rows
    settings = _by_row(figure.settings)
    return [{**row, **settings[row["s"]]} for row in rows]


def _by_row(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, map(_plain, row), strict=True)) for row in zip(*columns.values(), strict=True)]


def whole_spec(figure: Figure, config: Mapping[str, Any], schema: str) -> dict[str, Any]:
    """Return the Vega-Lite specification of a figure with all of its panels and its data, for a file.

    Args:
        figure: The figure.
        config: The style of all figures.
        schema: Address that names the release of Vega-Lite.
    """
    panels = []
    for number, panel in enumerate(figure.panels):
        spec = chart_spec(panel.chart)
        only = {"filter": f"datum.panel === {number}"}
        spec |= {"width": _WIDTH, "height": panel.height, "transform": [only, *spec.get("transform", [])]}
        panels.append({**spec, **({"title": panel.title} if panel.title else {})})
    return {
        "$schema": schema,
        "resolve": {"scale": dict.fromkeys(_WITH_LEGEND, "shared")},
        "title": {"text": figure.title, "anchor": "start", "fontSize": 16, "offset": 16},
        "concat": panels,
        "columns": min(_COLUMNS, len(panels)),
        "datasets": {ROWS: rows_of(figure)},
        "config": {**config, "background": "white", "padding": 12},
    }
