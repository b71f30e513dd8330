"""The table of all points: its data, and the columns that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from l2sweep.analysis.report.contents.points import PointRow
from l2sweep.analysis.report.page.charts.figure import columns_of


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: The field of :class:`PointRow`, and the name of the column in the copied CSV.
        title: Its header, with the unit.
        format: How a value is shown: a name of ``formats`` in ``report.js``.
    """

    name: str
    title: str
    format: str = "text"

    @property
    def is_number(self) -> bool:
        """Whether it is aligned to the right."""
        return self.format != "text"


_COLUMNS = (
    Column("adapter", "adapter"),
    Column("options", "options"),
    Column("fleet_host", "host"),
    Column("release", "LMCache"),
    Column("model", "model"),
    Column("trace", "trace"),
    Column("phase", "phase"),
    Column("cache_state", "page cache"),
    Column("data_size_kb", "size KiB", "whole"),
    Column("num_keys", "keys", "whole"),
    Column("in_flight", "in flight", "whole"),
    Column("processes", "processes", "whole"),
    Column("mib_per_s", "MiB/s", "number"),
    Column("durable_mib_per_s", "durable MiB/s", "number"),
    Column("keys_per_s", "keys/s", "number"),
    Column("median_s", "median ms", "ms"),
    Column("p99_s", "p99 ms", "ms"),
    Column("submit_p50_s", "submit p50 ms", "ms"),
    Column("submit_p99_s", "submit p99 ms", "ms"),
    Column("actual_hit_rate", "hit rate", "percent"),
    Column("status", "status"),
)


def point_columns(points: Sequence[PointRow]) -> dict[str, list[Any]]:
    """Return the data set of the table: the fields that have a value in any row, and what the table needs.

    Args:
        points: The points.
    """
    always = ("point_id", "is_control", "lower_bounds", "status")
    names = [field.name for field in fields(PointRow)]
    every = columns_of(points, names)
    return {
        name: values
        for name, values in every.items()
        if name in always or any(value is not None for value in values)
    }


def shown_columns(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return the columns of the table that have a value.

    Args:
        columns: The data set of the table.
    """
    return [{**asdict(one), "is_number": one.is_number} for one in _COLUMNS if one.name in columns]
