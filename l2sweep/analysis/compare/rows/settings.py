"""Tell in words by which settings the points of an adapter differ, besides size and depth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from l2sweep.analysis.compare.rows.samples import Point

_OPTIONS = ("num_keys", "model", "lookup_max_hit_rate", "cache_state", "lookup_answered_by")


def settings_of_each(points: Sequence[Point]) -> list[str]:
    """Return for each point the settings that differ among the points of its adapter and phase.

    Args:
        points: The points.

    Returns:
        Texts such as ``num_workers=4 num_keys=8``; empty if the points differ only in size and depth.
    """
    all_settings = [dict(_settings(point)) for point in points]
    values: dict[tuple[str, str, str], set[str]] = {}
    names: dict[tuple[str, str], set[str]] = {}
    for point, settings in zip(points, all_settings, strict=True):
        names.setdefault((point.adapter, point.phase), set()).update(settings)
    for point, settings in zip(points, all_settings, strict=True):
        for name in names[point.adapter, point.phase]:
            values.setdefault((point.adapter, point.phase, name), set()).add(settings.get(name, "-"))
    return [
        " ".join(
            f"{name}={value}"
            for name, value in settings.items()
            if len(values[point.adapter, point.phase, name]) > 1
        )
        for point, settings in zip(points, all_settings, strict=True)
    ]


def _settings(point: Point) -> Iterator[tuple[str, str]]:
    yield from _fields(json.loads(point.spec))
    for name in _OPTIONS:
        yield name, str(getattr(point, name))


def _fields(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _fields(value)
        else:
            yield name, value if isinstance(value, str) else json.dumps(value)
