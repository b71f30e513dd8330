"""The host of a row of a fleet. It separates rows that are alike in all else: hosts are no repeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from l2sweep.analysis.ended import known

Row = Mapping[str, Any]

FLEET_HOST = "fleet_host"
"""Name of the column: the host of a row of a fleet, and null for all other rows.

It is derived from ``fleet`` and ``host`` when rows are read (``l2sweep.records.reading.derived``). The same
sweep on another host, which is no fleet, is pooled with its repeats as before.
"""


def with_fleet_hosts(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return rows of a running sweep, which were not read from a file, with the column ``FLEET_HOST``.

    Args:
        rows: Rows of ``rounds`` or of ``points``.
    """
    return [{**row, FLEET_HOST: row.get("host") if known(row.get("fleet")) else None} for row in rows]
