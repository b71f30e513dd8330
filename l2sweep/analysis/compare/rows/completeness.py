"""Tell with how many rounds a process is complete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.compare.rows.columns import Booleans, Integers, integers
from l2sweep.analysis.ended import COLUMNS_OF_COMPLETENESS, Row, process_of, requested_rounds

_ATTEMPT = ("sweep_id", "point_index", "attempt")
COMPLETENESS_COLUMNS = (*_ATTEMPT, *COLUMNS_OF_COMPLETENESS)
"""The columns of ``points`` that tell with how many rounds a process is complete."""


def required_rounds(
    table: pa.Table, heads: Integers, count: Integers, read_points: Callable[[], Iterable[pa.Table]]
) -> tuple[Integers, Booleans]:
    """Return the number of measured rounds with which each process is complete.

    Args:
        table: Rows of ``rounds``.
        heads: Index of a row of each process.
        count: Number of the measured rounds of each process.
        read_points: Returns rows of ``points`` with the columns ``COMPLETENESS_COLUMNS``. It is called only
            if a process has fewer rounds than its rows of ``rounds`` say: that number is a limit with
            ``rounds=auto``.

    Returns:
        The number for each process, and whether it is only a limit.
    """
    required = integers(table, "rounds")[heads]
    is_limit = np.zeros(len(heads), dtype=np.bool_)
    short = np.flatnonzero(count < required)
    processes = _auto_processes(read_points()) if len(short) else {}
    if not processes:
        return required, is_limit
    rows = table.select([*_ATTEMPT, "phase"]).take(pa.array(heads[short])).to_pylist()
    for process, row in zip(short.tolist(), rows, strict=True):
        own = process_of(row["phase"], processes.get(_attempt(row), ()))
        if own is not None:
            required[process] = requested_rounds(row["phase"], own, int(count[process]))
            is_limit[process] = True
    return required, is_limit


def _auto_processes(tables: Iterable[pa.Table]) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows of ``points`` with an open number of rounds, by their attempt at a point."""
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for table in tables:
        is_auto = pc.is_valid(table.column("precision"))
        for row in table.select(COMPLETENESS_COLUMNS).filter(is_auto).to_pylist():
            found[_attempt(row)].append(row)
    return found


def _attempt(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _ATTEMPT)
