"""How the environment of a host differs from that of most others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import pyarrow as pa

from l2sweep.analysis.compare.rows.environment import ENVIRONMENT
from l2sweep.analysis.fleet.result import Difference

_MEMORY = "memory_bytes"
COMPARED = {name: title for name, title in ENVIRONMENT.items() if name != "host"} | {_MEMORY: "memory"}
"""Columns of ``points`` in which hosts may differ, with their names in words."""
POINTS_READ = tuple(COMPARED)


def differences(points: pa.Table, hosts: Collection[str]) -> dict[str, tuple[Difference, ...]]:
    """Return for some hosts the properties in which each differs from most others.

    Args:
        points: Rows of ``points`` with ``host`` and the columns ``POINTS_READ``.
        hosts: Names of these hosts.

    Returns:
        By the name of the host. A property whose most frequent value among the other hosts is that of half of
        them or fewer is left out: there, the hosts have nothing in common from which one could differ.
    """
    found: dict[str, list[Difference]] = {host: [] for host in hosts}
    for column, title in COMPARED.items() if hosts else ():
        values = _values(points, column)
        counts = Counter(values.values())
        for host, own_differences in found.items():
            own = values.get(host, "-")
            others = counts - Counter([own] if host in values else [])
            usual, count = next(iter(others.most_common(1)), (own, 0))
            if own != usual and 2 * count > others.total():
                own_differences.append(Difference(title, own, usual, count))
    return {host: tuple(of_host) for host, of_host in found.items()}


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
