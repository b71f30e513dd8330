"""Convert a table to one dictionary for each row, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa


def as_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Return what ``to_pylist`` of a table returns, whose time is that of an object for each cell.

    Args:
        table: Any table. Columns of numbers and columns of dictionary-encoded texts are converted fast.
    """
    names = table.column_names  # Arrow makes a new list at each access
    columns = [_values(table.column(name)) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    if column.null_count == len(column):
        return [None] * len(column)
    if pa.types.is_dictionary(column.type):
        whole = column.combine_chunks()
        texts = [*whole.dictionary.to_pylist(), None]
        codes = whole.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
        return [texts[code] for code in codes.tolist()]
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return list(column.to_pylist())
    values: list[Any] = column.fill_null(False if pa.types.is_boolean(kind) else 0).to_numpy().tolist()
    if column.null_count:
        for row in np.flatnonzero(column.is_null().to_numpy()).tolist():
            values[row] = None
    return values
