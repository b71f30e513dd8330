"""How the environment of a host differs from that of most others."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from l2sweep.analysis.compare.rows.environment import ENVIRONMENT
from l2sweep.analysis.fleet.result import Difference

_MEMORY = "memory_bytes"
COMPARED = {name: title for name, title in ENVIRONMENT.items() if name != "host"} | {_MEMORY: "memory"}
"""Columns of ``points`` in which hosts may differ, with their names in words."""
POINTS_READ = tuple(COMPARED)


def differences(points: pa.Table, host: str) -> tuple[Difference, ...]:
    """Return the properties in which a host differs from most others.

    Args:
        points: Rows of ``points`` with ``host`` and the columns ``POINTS_READ``.
        host: Name of the host.

    Returns:
        A property whose most frequent value among the other hosts is that of fewer than half of them is left
        out: there, the hosts have nothing in common from which one could differ.
    """
    found = []
    for column, title in COMPARED.items():
        values = _values(points, column)
        own = values.pop(host, "-")
        if not values:
            continue
        (usual, count), *_ = Counter(values.values()).most_common(1)
        if own != usual and 2 * count > len(values):
            found.append(Difference(title, own, usual, count))
    return tuple(found)


def _values(points: pa.Table, column: str) -> dict[str, str]:
    """Return the value of a column on each host; several values are joined by ``/``."""
    unique = points.select(["host", column]).group_by(["host", column]).aggregate([]).to_pylist()
    of_host: dict[str, list[str]] = {}
    for row in unique:
        own = of_host.setdefault(row["host"], [])
        if row[column] is not None:
            own.append(_text(row[column], column))
    return {host: "/".join(sorted(own)) or "-" for host, own in of_host.items()}


def _text(value: Any, column: str) -> str:
    return f"{value / 2**30:.1f} GiB" if column == _MEMORY else str(value)
