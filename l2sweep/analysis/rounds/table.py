"""Rounds as columns, whether they come from a data frame or from rows of a running sweep."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]

_Result = TypeVar("_Result")


class RoundTable:
    """Some rows of the data set ``rounds``. A column that is missing has no values.

    A column is converted once, because the definitions use it several times.

    Args:
        read: Returns a column of all rows as an array; None if there is no such column.
        rows: Positions of the rows of this table.
    """

    def __init__(self, read: Callable[[str], Values | None], rows: Integers) -> None:
        self.rows = rows
        self._read = read
        self._converted: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, rounds: pd.DataFrame | Iterable[Mapping[str, Any]]) -> RoundTable:
        """Return a table of all rows.

        Args:
            rounds: A data frame, or one mapping for each row.
        """
        if hasattr(rounds, "columns"):
            frame = cast("pd.DataFrame", rounds)
            names = set(frame.columns)
            return cls(lambda name: frame[name].to_numpy() if name in names else None, np.arange(len(frame)))
        mappings = list(rounds)
        return cls(lambda name: _objects([row.get(name) for row in mappings]), np.arange(len(mappings)))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def where(self, flags: Flags) -> RoundTable:
        """Return the rows that are marked."""
        return self if flags.all() else self.at(np.flatnonzero(flags))

    def at(self, positions: Integers) -> RoundTable:
        """Return the rows at some positions."""
        return RoundTable(self._read, self.rows[positions])

    def values(self, name: str) -> Values:
        """Return a column as it is; None in each row if there is no such column."""
        column = self._once(name, self._column)
        return np.full(len(self), None, dtype=object) if column is None else column

    def equal(self, name: str, value: str) -> Flags:
        """Return which rows have a text in a column."""
        return self._once((name, value), lambda _: np.asarray(self.values(name) == value, dtype=np.bool_))

    def known(self, name: str) -> Flags:
        """Return which rows have a value in a column. None, NaN and NaT are no values."""
        values = self.values(name)
        if values.dtype != object:
            return np.asarray(values == values, dtype=np.bool_)
        return np.fromiter(map(is_known, values), np.bool_, len(values))

    def floats(self, name: str) -> Floats:
        """Return a column of numbers; NaN where there is none."""
        return self._once((name, float), lambda _: self._floats(name))

    def lists(self, name: str) -> tuple[Floats, Integers]:
        """Return all values of a column of lists, one after another, and the length of each list."""
        column = self._once(name, self._column)
        if column is None:
            return np.empty(0), np.zeros(len(self), dtype=np.int64)
        lists = [() if value is None or isinstance(value, float) else value for value in column]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        flat = np.concatenate(lists) if lengths.any() else np.empty(0)
        return np.asarray(flat, dtype=np.float64), lengths

    def _floats(self, name: str) -> Floats:
        values = self._once(name, self._column)
        if values is None:
            return np.full(len(self), np.nan)
        if values.dtype == object:
            values = np.array([value if is_known(value) else np.nan for value in values], dtype=np.float64)
        return np.asarray(values, dtype=np.float64)

    def _column(self, name: str) -> Values | None:
        column = self._read(name)
        return column if column is None or len(column) == len(self) else column[self.rows]

    def _once(self, key: Hashable, convert: Callable[[Any], _Result]) -> _Result:
        if key not in self._converted:
            self._converted[key] = convert(key)
        return cast(_Result, self._converted[key])


def is_known(value: Any) -> bool:
    """Whether a value is neither None nor NaN nor NaT: only these two differ from themselves."""
    return value is not None and bool(value == value)


def _objects(values: list[Any]) -> Values:
    column = np.empty(len(values), dtype=object)  # np.array would make a matrix of lists of one length
    column[:] = values
    return column
