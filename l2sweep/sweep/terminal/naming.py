"""What a point is called where a person reads: enough to tell it from the others of its sweep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from l2sweep.config.point import PointConfig
from l2sweep.credentials import redact_override

# Always named, or too long for a line.
_ELSEWHERE = ("adapter", "num_keys", "in_flight", "data_size_kb", "adapter_json")


def varied_options(points: Iterable[PointConfig]) -> frozenset[str]:
    """Return the options that do not have the same value in all points, but for those that are always named.

    Args:
        points: Of one sweep.
    """
    values: dict[str, set[str]] = defaultdict(set)
    for point in points:
        for override in point.overrides:
            name, _, value = override.partition("=")
            values[name].add(value)
    return frozenset(name for name, seen in values.items() if len(seen) > 1 and name not in _ELSEWHERE)


def describe(point: PointConfig, varied: Collection[str] = ()) -> str:
    """Name a point by its type and sizes, and by what else tells it from others; without credentials.

    Args:
        point: The point.
        varied: Options that tell it from others.
    """
    others = [
        redact_override(override).lstrip("+")
        for override in point.overrides
        if override.partition("=")[0] in varied
    ]
    sizes = (
        f"num_keys={point.num_keys} in_flight={point.in_flight} data_size_kb={point.data_size_kb}",
        *others,
    )
    return " ".join((point.adapter_type, *sizes))
