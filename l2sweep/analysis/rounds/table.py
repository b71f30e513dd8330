"""Rounds as columns, whether they come from a data frame or from rows of a running sweep."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from l2sweep.analysis.rounds.source import (
    Flags,
    Floats,
    Integers,
    RoundSource,
    Values,
    is_known,
    objects,
    source_of,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_Result = TypeVar("_Result")


class RoundTable:
    """Some rows of the data set ``rounds``. A column that is missing has no values.

    A column is converted once, because the definitions use it several times.

    Args:
        source: All rows.
        rows: Positions of the rows of this table; None: all.
    """

    def __init__(self, source: RoundSource, rows: Integers | None = None) -> None:
        self._source = source
        self._rows = rows
        self._converted: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, rounds: pd.DataFrame | pa.Table | Iterable[Mapping[str, Any]]) -> RoundTable:
        """Return a table of all rows.

        Args:
            rounds: A data frame, an Arrow table, or one mapping for each row.
        """
        return cls(source_of(rounds))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._source if self._rows is None else self._rows)

    @property
    def rows(self) -> Integers:
        """Positions of these rows among all rows of the source."""
        return np.arange(len(self)) if self._rows is None else self._rows

    def where(self, flags: Flags) -> RoundTable:
        """Return the rows that are marked."""
        return self if flags.all() else self.at(np.flatnonzero(flags))

    def at(self, positions: Integers) -> RoundTable:
        """Return the rows at some positions."""
        return RoundTable(self._source, positions if self._rows is None else self._rows[positions])

    def values(self, name: str) -> Values:
        """Return a column as it is; None in each row if there is no such column, or no value in it."""
        column = self._once(name, self._column)
        return np.full(len(self), None, dtype=object) if column is None else column

    def objects(self, name: str) -> Values:
        """Return a column as objects; None where there is no value, and in each row if there is no column."""
        coded = self._once((name, "codes"), lambda _: self._codes(name))
        if coded is not None:
            codes, texts = coded
            return objects(texts)[codes]
        values = self.values(name)
        found = values.astype(object)
        if values.dtype.kind not in "biu":
            found[np.asarray(values != values, dtype=np.bool_)] = None  # NaN or NaT
        return found

    def equal(self, name: str, value: str) -> Flags:
        """Return which rows have a text in a column."""
        return self._once((name, value), lambda _: self._equal(name, value))

    def differs_from_previous(self, name: str) -> Flags:
        """Return which rows have another value in a column than the row before; not the first row."""
        coded = self._once((name, "codes"), lambda _: self._codes(name))
        values = self.values(name) if coded is None else coded[0]
        differs = np.zeros(len(self), dtype=np.bool_)
        differs[1:] = values[1:] != values[:-1]
        return differs

    def known(self, name: str) -> Flags:
        """Return which rows have a value in a column. None, NaN and NaT are no values."""
        values = self._once(name, self._column)
        if values is None:
            return np.zeros(len(self), dtype=np.bool_)
        if values.dtype != object:
            return np.asarray(values == values, dtype=np.bool_)
        return np.fromiter(map(is_known, values), np.bool_, len(values))

    def floats(self, name: str) -> Floats:
        """Return a column of numbers; NaN where there is none."""
        return self._once((name, float), lambda _: self._floats(name))

    def lists(self, name: str) -> tuple[Floats, Integers]:
        """Return all values of a column of lists, one after another, and the length of each list."""
        return self._source.lists(name, self._rows)

    def _floats(self, name: str) -> Floats:
        values = self._once(name, self._column)
        if values is None:
            return np.full(len(self), np.nan)
        if values.dtype == object:
            values = np.array([value if is_known(value) else np.nan for value in values], dtype=np.float64)
        return np.asarray(values, dtype=np.float64)

    def _equal(self, name: str, value: str) -> Flags:
        coded = self._once((name, "codes"), lambda _: self._codes(name))
        if coded is None:
            return np.asarray(self.values(name) == value, dtype=np.bool_)
        codes, texts = coded
        return np.asarray(codes == texts.index(value)) if value in texts else np.zeros(len(self), np.bool_)

    def _codes(self, name: str) -> tuple[Integers, list[str | None]] | None:
        coded = self._source.codes(name)
        if coded is None or self._rows is None:
            return coded
        return coded[0][self._rows], coded[1]

    def _column(self, name: str) -> Values | None:
        column = self._source.column(name)
        return column if column is None or self._rows is None else column[self._rows]

    def _once(self, key: Hashable, convert: Callable[[Any], _Result]) -> _Result:
        if key not in self._converted:
            self._converted[key] = convert(key)
        return cast(_Result, self._converted[key])
