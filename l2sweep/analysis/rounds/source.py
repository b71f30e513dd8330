"""Read columns of rounds from a data frame, an Arrow table, or the rows of a running sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]


class RoundSource(Protocol):
    """All rows of a table of rounds."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def column(self, name: str) -> Values | None:
        """Return a column as an array; None if there is no such column, or no value in it."""

    def codes(self, name: str) -> tuple[Integers, list[str | None]] | None:
        """Return a column of texts as positions in a list of texts; None if it is not stored like this."""

    def lists(self, name: str, rows: Integers | None) -> tuple[Floats, Integers]:
        """Return all values of a column of lists, one after another, and the length of each list.

        Args:
            name: The column. If there is no such column, the lists are empty.
            rows: Positions of the rows; None: all.
        """


def source_of(rounds: pd.DataFrame | pa.Table | Iterable[Mapping[str, Any]]) -> RoundSource:
    """Return the columns of rounds.

    Args:
        rounds: A data frame, an Arrow table, or one mapping for each row.
    """
    if hasattr(rounds, "column_names"):
        return _ArrowSource(rounds)
    if hasattr(rounds, "columns"):
        return _FrameSource(cast("pd.DataFrame", rounds))
    return _RowSource(list(rounds))


def is_known(value: Any) -> bool:
    """Whether a value is neither None nor NaN nor NaT: only these two differ from themselves."""
    return value is not None and bool(value == value)


class _FrameSource:
    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self._names = set(frame.columns)

    def __len__(self) -> int:
        return len(self._frame)

    def column(self, name: str) -> Values | None:
        return self._frame[name].to_numpy() if name in self._names else None

    def codes(self, name: str) -> None:
        return None

    def lists(self, name: str, rows: Integers | None) -> tuple[Floats, Integers]:
        column = self.column(name)
        if column is None:
            return _no_lists(self, rows)
        return _joined(column if rows is None else column[rows])


class _RowSource:
    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str) -> Values | None:
        return objects([row.get(name) for row in self._rows])

    def codes(self, name: str) -> None:
        return None

    def lists(self, name: str, rows: Integers | None) -> tuple[Floats, Integers]:
        of_rows = self._rows if rows is None else [self._rows[row] for row in rows]
        return _joined([row.get(name) for row in of_rows])


class _ArrowSource:
    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._names = set(table.column_names)
        self._codes: dict[str, tuple[Integers, list[str | None]] | None] = {}

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def column(self, name: str) -> Values | None:
        if name not in self._names:
            return None
        if (coded := self.codes(name)) is not None:
            codes, texts = coded
            return objects(texts)[codes]
        column = self._table.column(name)
        if column.null_count == len(column):
            return None
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False))

    def codes(self, name: str) -> tuple[Integers, list[str | None]] | None:
        if name not in self._codes:
            self._codes[name] = self._read_codes(name)
        return self._codes[name]

    def _read_codes(self, name: str) -> tuple[Integers, list[str | None]] | None:
        if name not in self._names or not hasattr(self._table.field(name).type, "index_type"):
            return None
        column = self._table.column(name).combine_chunks()
        texts = [*column.dictionary.to_pylist(), None]
        return column.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False), texts

    def lists(self, name: str, rows: Integers | None) -> tuple[Floats, Integers]:
        if name not in self._names:
            return _no_lists(self, rows)
        column = self._table.column(name).combine_chunks()
        lengths = np.asarray(column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), np.int64)
        flat = np.asarray(column.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
        if rows is None or not len(flat):
            return flat, lengths if rows is None else lengths[rows]
        # Not column.take(rows): pyarrow imports pandas before it reads an array of NumPy.
        if (np.diff(rows) > 0).all():  # a mask takes less memory than an index of each value
            is_wanted = np.zeros(len(self), dtype=np.bool_)
            is_wanted[rows] = True
            return flat[np.repeat(is_wanted, lengths)], lengths[rows]
        starts, lengths = (np.cumsum(lengths) - lengths)[rows], lengths[rows]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return flat[np.repeat(starts, lengths) + within], lengths


def _no_lists(source: RoundSource, rows: Integers | None) -> tuple[Floats, Integers]:
    return np.empty(0), np.zeros(len(source) if rows is None else len(rows), dtype=np.int64)


def _joined(column: Iterable[Any]) -> tuple[Floats, Integers]:
    lists = [() if value is None or isinstance(value, float) else value for value in column]
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    flat = np.concatenate(lists) if lengths.any() else np.empty(0)
    return np.asarray(flat, dtype=np.float64), lengths


def objects(values: Sequence[Any]) -> Values:
    """Return values as an array of objects."""
    column = np.empty(len(values), dtype=object)  # np.array would make a matrix of lists of one length
    column[:] = values
    return column
