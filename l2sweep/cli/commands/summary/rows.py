"""The rows of ``l2sweep summary``, from the records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep.analysis.constraints import Constraint
from l2sweep.analysis.rounds.phase_runs import COLUMNS_OF_ATTEMPTS
from l2sweep.analysis.summary import COLUMNS_OF_POINTS, COLUMNS_OF_ROUNDS
from l2sweep.errors import RequestError, shown
from l2sweep.records.reader import points_table, rounds_table
from l2sweep.records.reading.as_rows import as_rows
from l2sweep.records.selectors import select
from l2sweep.sweep.terminal.results.best import BEST
from l2sweep.sweep.terminal.results.result_rows import ResultRow, result_rows

_ADAPTER = "adapter."
_OF_REPEAT = ("sweep_id", "point_index", "repeat", "attempt")
_NOT_DATA = ("adapter_spec", *_OF_REPEAT)
# In points, these columns describe the process and not the rounds of a phase.
_OF_ROUNDS = ("phase", "cache_state", "lookup_answered_by")


def recorded_rows(
    selector: str,
    results_dir: str,
    *,
    by: Sequence[str] | None = None,
    where: str | None = None,
    phase: str | None = None,
    each_repeat: bool = False,
) -> list[ResultRow]:
    """Return the rows of the table of results.

    Args:
        selector: The sweeps.
        results_dir: Folder of the records, unless the selector names one.
        by: Columns that have the same value in a row; None: those of a point.
        where: A condition on the rounds.
        phase: The only phase; None: all.
        each_repeat: Whether each repeat is a row of its own.

    Raises:
        RequestError: The selector selects nothing, a column is unknown, or the condition is wrong.
    """
    selection = select(selector, results_dir)
    folder, sweep_ids = selection.results_dir, selection.sweep_ids
    named = list(by or ())
    of_fields = [name for name in named if name.startswith(_ADAPTER)]
    try:
        rounds = rounds_table(
            folder,
            sweep=sweep_ids,
            phase=phase,
            where=where,
            columns=list(dict.fromkeys((*COLUMNS_OF_ROUNDS, *named))),
        )
        has_all_rounds = is_of_attempts(where)
        points = as_rows(
            points_table(
                folder,
                sweep=sweep_ids,
                where=where if has_all_rounds else None,
                columns=[*COLUMNS_OF_POINTS, *of_fields],
            )
        )
    except FileNotFoundError as error:
        raise RequestError([f"summary: {error}"]) from None
    if len(rounds) and not points and not named:
        raise RequestError([f"summary: {shown(selector)}: no file in points of these sweeps can be read"])
    rows = result_rows(
        rounds, points, each_repeat=each_repeat, by=named or None, has_all_rounds=has_all_rounds
    )
    return [row for row in rows if phase is None or row.numbers["phase"] == phase]


def as_data(rows: Sequence[ResultRow], *, each_repeat: bool = False) -> list[dict[str, Any]]:
    """Return rows with unrounded numbers, whose names have units.

    Args:
        rows: The rows.
        each_repeat: Whether each row is one repeat.
    """
    fields = [_spec_fields(row.numbers["adapter_spec"]) for row in rows]
    names = list(dict.fromkeys(name for one in fields for name in one))
    differing = [name for name in names if len({repr(one.get(name)) for one in fields}) > 1]
    data = []
    for row, of_spec in zip(rows, fields, strict=True):
        numbers = row.numbers
        leading = {name: numbers[name] for name in _OF_REPEAT} if each_repeat else {}
        data.append(
            {
                **leading,
                **{name: of_spec.get(name) for name in differing},
                **{name: value for name, value in numbers.items() if name not in _NOT_DATA},
                "is_best": row.mark == BEST,
            }
        )
    return data


def is_of_attempts(where: str | None) -> bool:
    """Whether a condition selects whole attempts at points, and not some of their rounds.

    Args:
        where: The condition; None: all rows.
    """
    if where is None:
        return True
    try:
        names = Constraint.parse(where).names
    except ValueError:
        return False  # the reader explains it
    of_attempts = COLUMNS_OF_ATTEMPTS - set(_OF_ROUNDS)
    return all(name in of_attempts or name.startswith(_ADAPTER) for name in names)


def _spec_fields(spec: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}

    def add(value: Any, name: str) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                add(item, f"{name}.{key}")
        else:
            fields[name] = value

    add(json.loads(spec), "adapter")
    fields.pop("adapter.type", None)
    return fields
