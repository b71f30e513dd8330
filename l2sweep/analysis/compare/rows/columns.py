"""Read the columns of rounds into arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from l2sweep.analysis.clients.merging import CLIENT_COLUMNS
from l2sweep.analysis.fleet.hosts import FLEET_HOST

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

POINT_COLUMNS = (
    *("adapter_type", "adapter_spec", "model", "num_keys", "in_flight", "data_size_kb"),
    "lookup_max_hit_rate",
)
SAMPLED_COLUMNS = (
    *("sweep_id", "point_id", "point_index", "repeat", "attempt", "phase", "is_warmup", "status", "detail"),
    *("started_at", "duration_s", "cache_state", "rounds", *POINT_COLUMNS, "host", "lmcache_version"),
    "lookup_answered_by",
    "trace",
    FLEET_HOST,
)
"""The columns of ``rounds`` that a comparison uses, once the rows of clients are merged."""
ROUND_COLUMNS = (*SAMPLED_COLUMNS, *CLIENT_COLUMNS, "round")
"""The columns of ``rounds`` that a comparison reads."""
# Rows that a caller kept from an earlier release lack these.
_ADDED_LATER = ("lookup_answered_by", "trace", FLEET_HOST)


def concatenated(tables: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """Return columns of several tables as one table. A column that a table lacks is null there.

    Args:
        tables: The tables, at least one of which has all columns with their types.
        names: Names of the columns.
    """
    parts = [table.select([name for name in names if name in table.column_names]) for table in tables]
    joined = pa.concat_tables(parts, promote_options="permissive")
    for name in _ADDED_LATER:
        if name in names and name not in joined.column_names:
            joined = joined.append_column(name, pa.nulls(len(joined), pa.string()))
    return joined.select(names)


def without_traces(table: pa.Table) -> pa.Table:
    """Return the rows of rounds alone: a row of a trace is a second, whose length tells nothing.

    Args:
        table: Rows of ``rounds``.
    """
    if "trace" not in table.column_names or table.column("trace").null_count == len(table):
        return table
    return table.filter(pc.is_null(table.column("trace")))


def codes(table: pa.Table, name: str) -> tuple[Integers, list[str | None]]:
    """Return a text column as indices into the list of its values. The last value is None."""
    column = table.column(name).combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    values = [*column.dictionary.to_pylist(), None]
    indices = column.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)
    return indices.astype(np.int64), values


def integers(table: pa.Table, name: str) -> Integers:
    """Return a column of integers; null is -1."""
    column = table.column(name).combine_chunks().cast(pa.int64()).fill_null(-1)
    values: Integers = column.to_numpy(zero_copy_only=False)
    return values


def floats(table: pa.Table, name: str) -> Floats:
    """Return a column of numbers; null is NaN."""
    column = table.column(name).combine_chunks().cast(pa.float64())
    values: Floats = column.to_numpy(zero_copy_only=False)
    return values


def booleans(table: pa.Table, name: str) -> Booleans:
    """Return a column of truth values; null is false."""
    column = table.column(name).combine_chunks().cast(pa.bool_()).fill_null(False)
    values: Booleans = column.to_numpy(zero_copy_only=False)
    return values


def combined(*keys: Integers) -> Integers:
    """Return one key for rows that agree in all keys, in the order of the keys.

    Args:
        keys: Integers from 0, all of the same length. The product of their ranges must fit into 63 bits.
    """
    key: Integers = np.zeros(len(keys[0]), dtype=np.int64)
    for one in keys:
        key = key * (int(one.max(initial=0)) + 1) + one
    return key


def positions(key: Integers) -> Integers:
    """Return the position of each row among the rows with the same key, from 0, in the order of the rows."""
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    within = np.arange(len(key)) - np.repeat(starts, np.diff(starts, append=len(key)))
    place = np.empty(len(key), dtype=np.int64)
    place[order] = within
    return place
