"""Describe a point in one line, with the options that distinguish it from the other points of its sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from l2sweep.analysis.control import adapter_name
from l2sweep.config.point import PointConfig
from l2sweep.credentials import redact_override, scrub, secrets_of

# Options that every description contains, and adapter_json, which is too long for a line.
_NOT_LISTED = ("adapter", "num_keys", "in_flight", "data_size_kb", "adapter_json")


def varied_options(points: Iterable[PointConfig]) -> frozenset[str]:
    """Return the options that have different values in different points.

    Options that :func:`describe` always shows are not returned.

    Args:
        points: The points of one sweep.
    """
    values: dict[str, set[str]] = defaultdict(set)
    for point in points:
        for override in point.overrides:
            name, _, value = override.partition("=")
            values[name].add(value)
    return frozenset(name for name, seen in values.items() if len(seen) > 1 and name not in _NOT_LISTED)


def describe(point: PointConfig, varied: Collection[str] = ()) -> str:
    """Return the adapter type, the sizes and the varied options of a point, without credentials.

    Args:
        point: The point.
        varied: The options that :func:`varied_options` returned.
    """
    secrets = secrets_of(point.adapter_spec) if varied else set()
    varied_overrides = [
        scrub(redact_override(override), secrets).lstrip("+")
        for override in point.overrides
        if override.partition("=")[0] in varied
    ]
    sizes = f"num_keys={point.num_keys} in_flight={point.in_flight} data_size_kb={point.data_size_kb}"
    return " ".join((adapter_name(point.adapter_spec), sizes, *varied_overrides))
