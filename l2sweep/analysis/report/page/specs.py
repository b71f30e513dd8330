"""From charts to what Vega-Embed and vl-convert draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from l2sweep.analysis.report.page.charts.figure import Columns, Figure, Panel

_DIGITS = 7
_OFTEN = 4  # times that a value occurs on average, from which on it is written once
_WIDTH = 420
_COLUMNS = 2
_WITH_LEGEND = ("color", "shape", "strokeDash")


def panel_spec(panel: Panel) -> dict[str, Any]:
    """Return the Vega-Lite specification of a panel without its data and its style.

    Args:
        panel: The panel.
    """
    spec = panel.chart.to_dict()
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
        For each column its values, or ``of`` with the different values and ``at`` with their positions.
    """
    return {name: _packed([_plain(value) for value in values]) for name, values in columns.items()}


def _packed(values: list[Any]) -> list[Any] | dict[str, list[Any]]:
    # The type belongs to the key: True and 1 are equal.
    positions: dict[tuple[type, Any], int] = {}
    at = [positions.setdefault((type(value), value), len(positions)) for value in values]
    if len(positions) * _OFTEN > len(values):
        return values
    return {"of": [value for _, value in positions], "at": at}


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: a number with seven digits, None for one that is not finite."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if not isinstance(value, float):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """Return a data set by row.

    Args:
        columns: The data set by column.
    """
    return [dict(zip(columns, map(_plain, row), strict=True)) for row in zip(*columns.values(), strict=True)]


def whole_spec(figure: Figure, config: Mapping[str, Any], schema: str) -> dict[str, Any]:
    """Return the Vega-Lite specification of a figure with all of its panels and its data, for a file.

    Args:
        figure: The figure.
        config: The style of all figures.
        schema: Address that names the release of Vega-Lite.
    """
    panels = []
    for panel in figure.panels:
        spec = {**panel_spec(panel), "width": _WIDTH, "height": panel.height}
        spec.pop("autosize", None)
        panels.append({**spec, **({"title": panel.title} if panel.title else {})})
    shared = "shared" if figure.legend else "independent"
    return {
        "$schema": schema,
        "resolve": {"scale": dict.fromkeys(_WITH_LEGEND, shared)},
        "title": {"text": figure.title, "anchor": "start", "fontSize": 16, "offset": 16},
        "concat": panels,
        "columns": min(_COLUMNS, len(panels)),
        "datasets": {name: rows_of(columns) for name, columns in figure.datasets.items()},
        "config": {**config, "background": "white", "padding": 12},
    }
