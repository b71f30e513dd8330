"""Filter rows by a condition, in the language of the option ``constraints``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.constraints import Constraint
from l2sweep.errors import RequestError
from l2sweep.records.reading.spec_fields import ADAPTER, SpecFields

_LARGEST_CODE = 2**62


def matching(table: pa.Table, condition: Constraint) -> pa.Table:
    """Return the rows that meet a condition.

    It is evaluated once for each distinct combination of the values that it names. A row does not match if
    the condition needs a value that the row does not have: a missing value is neither above nor below a
    number.

    Args:
        table: The rows, with the columns that the condition names.
        condition: The condition. ``adapter.NAME`` is a field of the adapter spec.

    Raises:
        RequestError: The condition cannot be computed.
    """
    roots = {name.partition(".")[0] for name in condition.names}
    names = sorted(roots - {ADAPTER}) + (["adapter_spec"] if ADAPTER in roots else [])
    if not names or not len(table):
        return table if len(table) and _holds(condition, {}) else table.slice(0, 0)
    codes: Any = np.zeros(len(table), np.int64)
    size = 1
    for name in names:
        index, count = _encoded(table[name])
        if size * count > _LARGEST_CODE:
            distinct, codes = np.unique(codes, return_inverse=True)
            size = len(distinct)
        codes, size = codes * count + index, size * count
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    taken = table.take(pa.array(first))
    values: dict[str, list[Any]] = {name: taken[name].to_pylist() for name in names}
    if ADAPTER in roots:
        values[ADAPTER] = SpecFields(table["adapter_spec"]).of_rows(first.tolist())
    rows = (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    holds = np.fromiter((_holds(condition, row) for row in rows), bool, len(first))
    return table.filter(pa.array(holds[inverse]))


def _encoded(column: pa.ChunkedArray) -> tuple[Any, int]:
    """Return a number for each row that is the same for the same value, and how many there may be."""
    if pa.types.is_list(column.type):
        return np.arange(len(column)), len(column)
    encoded = column.combine_chunks()
    if not pa.types.is_dictionary(column.type):
        encoded = encoded.dictionary_encode()
    missing = len(encoded.dictionary)
    return pc.fill_null(encoded.indices, missing).to_numpy(zero_copy_only=False), missing + 1


def _holds(condition: Constraint, row: dict[str, Any]) -> bool:
    row = {name: None if value != value else value for name, value in row.items()}
    try:
        return condition.holds(row)
    except ValueError as error:
        if any(_lacks(row, name) for name in condition.names):
            return False
        raise RequestError([f"where={error}"]) from None


def _lacks(row: dict[str, Any], name: str) -> bool:
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return isinstance(value, dict)
        value = value[part]
    return value is None
