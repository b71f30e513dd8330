"""Tell how the environment of the candidate differs from that of the base."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.clients.merging import CLIENT_COLUMNS
from l2sweep.analysis.compare.rows.columns import codes
from l2sweep.analysis.ended import COLUMNS_OF_COMPLETENESS
from l2sweep.analysis.fleet.hosts import FLEET_HOST

ENVIRONMENT = {
    "lmcache_version": "LMCache",
    "l2sweep_version": "l2sweep",
    "torch_version": "torch",
    "python_version": "Python",
    "kernel": "kernel",
    "host": "host",
    "cpu_model": "CPU",
    "cpu_count": "number of CPUs",
    "block_device": "device",
    "block_device_model": "model of the device",
    "fs_type": "file system",
    "mount_point": "mount point",
    "mount_options": "mount options",
    "effective_odirect": "O_DIRECT",
    "cache_method": "cache.method",
    "isolation": "isolation",
    "skip_verify": "skip_verify",
    "l1_use_hugepages": "l1_use_hugepages",
    "profile": "profile",
    "config_git_commit": "commit of the configuration",
}
"""Columns of ``points`` that describe the environment, with their names in words, in the order of output."""
POINT_ROW_COLUMNS = (
    *("sweep_id", "point_id", "point_index", "repeat", "attempt", "phase", "status", "detail", "started_at"),
    *("adapter_type", "adapter_spec", *ENVIRONMENT),
    *(name for name in COLUMNS_OF_COMPLETENESS if name != "phase"),
    *CLIENT_COLUMNS,
    FLEET_HOST,
)
"""The columns of ``points`` that a comparison reads."""
_MOST_VALUES = 3


@dataclass(frozen=True)
class Difference:
    """A property of the environment that differs.

    Attributes:
        name: What differs.
        base: Its values in the base, separated by commas.
        candidate: Its values in the candidate.
    """

    name: str
    base: str
    candidate: str


def differences(
    rounds: Sequence[pa.Table], points: Sequence[pa.Table], common: Sequence[str]
) -> tuple[Difference, ...]:
    """Return what differs between the environments of base and candidate.

    Args:
        rounds: Rows of ``rounds`` of base and candidate.
        points: Rows of ``points`` of base and candidate; empty if they are not known: then only the columns
            of ``rounds`` are compared.
        common: Ids of the points that both have.
    """
    tables = points or rounds
    found = []
    for column, name in ENVIRONMENT.items():
        base, candidate = (_values(table, column) for table in tables)
        if base != candidate:
            found.append(Difference(name, _shown(base), _shown(candidate)))
    return (*found, *_of_specs(tables, common))


def _values(table: pa.Table, column: str) -> list[Any]:
    if column not in table.column_names:
        return []
    return sorted(pc.unique(table.column(column)).drop_null().to_pylist(), key=str)


def _shown(values: Sequence[Any]) -> str:
    texts = [str(value) for value in values[:_MOST_VALUES]]
    more = [f"{len(values) - _MOST_VALUES} more"] if len(values) > _MOST_VALUES else []
    return ", ".join([*texts, *more]) or "-"


def _of_specs(tables: Sequence[pa.Table], common: Sequence[str]) -> Iterator[Difference]:
    """Yield the fields of adapter specs that differ although the points are the same, such as a folder."""
    base, candidate = (_specs(table, set(common)) for table in tables)
    pairs: dict[str, tuple[set[str], set[str]]] = {}
    for point_id in base.keys() & candidate.keys():
        for field in base[point_id].keys() | candidate[point_id].keys():
            values = (base[point_id].get(field, "-"), candidate[point_id].get(field, "-"))
            if values[0] != values[1]:
                sides = pairs.setdefault(f"adapter.{field}", (set(), set()))
                sides[0].add(values[0])
                sides[1].add(values[1])
    for name, (of_base, of_candidate) in sorted(pairs.items()):
        yield Difference(name, _shown(sorted(of_base)), _shown(sorted(of_candidate)))


def _specs(table: pa.Table, wanted: set[str]) -> dict[str, dict[str, str]]:
    """Return the fields of the adapter spec of each point."""
    point_id, point_ids = codes(table, "point_id")
    spec, specs = codes(table, "adapter_spec")
    pairs = np.unique(np.stack([point_id, spec]), axis=1)
    read: dict[int, dict[str, str]] = {}
    found = {}
    for one, two in pairs.T:
        if point_ids[one] in wanted:
            fields = read.setdefault(int(two), dict(_fields(json.loads(specs[two] or "{}"))))
            found[str(point_ids[one])] = fields
    return found


def _fields(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value) if not isinstance(value, str) else value
