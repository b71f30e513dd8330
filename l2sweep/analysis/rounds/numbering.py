"""Number rows by their values: rows with the same values have the same number."""

from __future__ import annotations

from typing import Any

import numpy as np

from l2sweep.analysis.rounds.source import Integers, Values


def numbered(*columns: Values) -> Integers:
    """Return a number for each row, from 0, in the order in which the values appear first.

    Args:
        columns: The values of the rows, which can be hashed. At least one column.
    """
    numbers: dict[tuple[Any, ...], int] = {}
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return np.fromiter((numbers.setdefault(row, len(numbers)) for row in rows), np.int64, len(columns[0]))


def first_rows(numbers: Integers) -> Integers:
    """Return the position of the first row with each number.

    Args:
        numbers: What :func:`numbered` returns.
    """
    return np.unique(numbers, return_index=True)[1]


def rows_by_number(numbers: Integers, count: int) -> list[list[int]]:
    """Return the positions of the rows with each number.

    Args:
        numbers: A number for each row.
        count: How many numbers there are.
    """
    order = np.argsort(numbers, kind="stable").tolist()
    ends = np.cumsum(np.bincount(numbers, minlength=count)).tolist()
    return [order[start:end] for start, end in zip([0, *ends], ends, strict=False)]
