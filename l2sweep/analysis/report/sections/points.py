"""Section 5: the table of all points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from l2sweep.analysis.control import CONTROLS, adapter_name
from l2sweep.analysis.report.contents.points import PointRow
from l2sweep.analysis.rounds.source import is_known
from l2sweep.analysis.tune.sentences import options_in_words
from l2sweep.analysis.tune.spec_fields import spec_fields

_PHASES = ("load", "store", "lookup", "mixed_load", "mixed_store")
_COUNTS = (
    *("processes", "measured_processes", "failed_processes", "rounds", "ok_rounds", "timed_out_rounds"),
    *("failed_rounds", "num_keys", "in_flight", "data_size_kb", "false_hits", "false_misses"),
    "mismatched_keys",
)
_MADE = ("adapter", "is_control", "options", "path", "lower_bounds")
_TAKEN = tuple(field.name for field in fields(PointRow) if field.name not in _MADE)


def point_rows(columns: Mapping[str, Any]) -> list[tuple[PointRow, int]]:
    """Return the rows of the table, sorted by phase, adapter, options and workload.

    Args:
        columns: The columns of ``summarise_runs``.

    Returns:
        Each row with the number of its group.
    """
    names = list(columns)
    rows = [
        (_row(dict(zip(names, values, strict=True))), group)
        for group, values in enumerate(zip(*columns.values(), strict=True))
    ]
    return sorted(rows, key=lambda row: _order(row[0]))


def _row(numbers: dict[str, Any]) -> PointRow:
    spec = spec_fields(numbers["adapter_spec"])
    name = adapter_name(json.loads(numbers["adapter_spec"]))
    return PointRow(
        adapter=name,
        is_control=name in CONTROLS,
        options=options_in_words(spec),
        path=spec.path,
        lower_bounds=tuple(numbers["lower_bounds"].split()),
        **{name: _plain(name, numbers[name]) for name in _TAKEN},
    )


def _plain(name: str, value: Any) -> Any:
    """Return a value without numpy's types, and None where there is none."""
    if not is_known(value):
        return None
    plain = value.item() if hasattr(value, "item") else value
    return int(plain) if name in _COUNTS else plain


def _order(row: PointRow) -> tuple[Any, ...]:
    return (
        _PHASES.index(row.phase) if row.phase in _PHASES else len(_PHASES),
        row.is_control,
        row.adapter,
        row.options,
        row.data_size_kb,
        row.num_keys,
        row.in_flight,
        row.lookup_max_hit_rate or 0.0,
        row.cache_state or "",
        row.release or "",
        row.fleet_host or "",
        row.point_id,
    )
