"""Answer a query over a data set: some sweeps, one phase, some columns, and a condition on the rows."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.constraints import Constraint
from l2sweep.errors import RequestError, shown
from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.as_rows import as_rows
from l2sweep.records.reading.derived import DERIVED, DERIVED_OF_POINTS
from l2sweep.records.reading.filtering import matching
from l2sweep.records.reading.intact import UNREADABLE
from l2sweep.records.reading.presence import missing
from l2sweep.records.reading.rows import Rows, read_rows
from l2sweep.records.reading.spec_fields import ADAPTER, SpecFields
from l2sweep.records.store.place import Place

_PLACE = ("sweep_id", "point_index", "attempt")
_SCHEMAS = {ROUNDS: schema.ROUNDS, POINTS: schema.POINTS}
_DERIVED = {ROUNDS: DERIVED, POINTS: DERIVED_OF_POINTS}


@dataclass(frozen=True)
class Query:
    """A query over a data set.

    Attributes:
        data_set: ``rounds`` or ``points``.
        sweep_ids: The only sweeps whose files are opened; None: all.
        phase: The only phase whose rows are read; None: all.
        columns: Stored columns, derived ones, and fields of the adapter spec; None: all.
        where: A condition on the rows; None: all.
        more: Stored columns that the answer has as well.
    """

    data_set: str
    sweep_ids: Sequence[str] | None = None
    phase: str | None = None
    columns: Sequence[str] | None = None
    where: str | None = None
    more: Sequence[str] = ()

    def answer(self, results_dir: Place) -> Rows:
        """Read the rows.

        Args:
            results_dir: Folder of the data sets.

        Raises:
            RequestError: A column is unknown, or the condition is wrong.
            FileNotFoundError: The folder has no such data set.
        """
        condition = self._condition()
        for name in self.columns or ():
            self._require_known(name, f"columns={shown(name)}")
        named = (*(self.columns or ()), *(sorted(condition.names) if condition is not None else ()))
        rows = read_rows(
            results_dir,
            self.data_set,
            self._needed(named),
            sweep_ids=self.sweep_ids,
            phase=self.phase,
            where=condition if self._is_of_stored(condition) else None,
        )
        if self.data_set == POINTS and "status" in rows.table.column_names:
            _mark_points_without_rounds(rows, results_dir)
        for name, (_, compute) in _DERIVED[self.data_set].items():
            if self.columns is None or name in named:
                rows.table = rows.table.append_column(name, compute(rows.table))
        known = (
            SpecFields(rows.table["adapter_spec"]).names if "adapter_spec" in rows.table.column_names else ()
        )
        if len(rows.table):
            self._require_fields(known, condition)
        if condition is not None:
            rows.table = matching(rows.table, condition)
        rows.table = self._answered(rows.table, known)
        return rows

    def _condition(self) -> Constraint | None:
        if self.where is None:
            return None
        try:
            condition = Constraint.parse(self.where)
        except ValueError as error:
            raise RequestError([f"where={error}"]) from None
        for name in condition.names:
            self._require_known(name.partition(".")[0], f"where={shown(self.where)}", (ADAPTER,))
        return condition

    def _is_of_stored(self, condition: Constraint | None) -> bool:
        """Whether the rows can be filtered as they are stored, before anything is derived from all of them.

        The fields of the adapter spec are those of all rows, and the status of a point may change.
        """
        if condition is None or not condition.names or self.columns is None:
            return False
        changing = {"status", "detail"} if self.data_set == POINTS else set()
        is_stored = condition.names <= set(_SCHEMAS[self.data_set].names) - changing
        return is_stored and not any(name.startswith(f"{ADAPTER}.") for name in self.columns)

    def _needed(self, named: Sequence[str]) -> pa.Schema:
        """Return the stored columns that the answer follows from."""
        stored, derived = _SCHEMAS[self.data_set], _DERIVED[self.data_set]
        if self.columns is None:
            return stored
        needed = {*named, *self.more}
        for name in named:
            root = name.partition(".")[0]
            needed |= {root, *(derived[name][0] if name in derived else ())}
            needed |= {"adapter_spec"} if root == ADAPTER else set()
        if self.data_set == POINTS and needed & {"status", "detail"}:
            needed |= {*_PLACE, "status", "detail"}
        return pa.schema([field for field in stored if field.name in needed])

    def _require_known(self, name: str, request: str, more: Sequence[str] = ()) -> None:
        known = [*_SCHEMAS[self.data_set].names, *_DERIVED[self.data_set], *more]
        if name not in known and not name.startswith(f"{ADAPTER}."):
            raise RequestError(
                [f"{request}: {self.data_set} have no column {shown(name)}{_suggestion(name, known)}"]
            )

    def _require_fields(self, known: Sequence[str], condition: Constraint | None) -> None:
        """Check that at least one adapter spec has each field that is named."""
        groups = {name.rpartition(".")[0] for name in known}
        named = [(name, known) for name in self.columns or ()]
        named += [(name, (*known, *groups)) for name in (condition.names if condition is not None else ())]
        for name, allowed in named:
            if name.startswith(f"{ADAPTER}.") and name not in allowed:
                problem = f"no adapter of these {self.data_set} has this field{_suggestion(name, known)}"
                raise RequestError([f"{shown(name)}: {problem}"])

    def _answered(self, table: pa.Table, known: Sequence[str]) -> pa.Table:
        fields = SpecFields(table["adapter_spec"]) if known else None
        columns = {}
        names = (*table.column_names, *known) if self.columns is None else self.columns
        for name in (*names, *self.more):
            is_field = fields is not None and name in fields.names
            columns[name] = fields.column(name) if is_field and fields else _column(table, name)
        return pa.table(columns)


def _column(table: pa.Table, name: str) -> Any:
    # A field that the spec of no row has.
    return table[name] if name in table.column_names else pa.nulls(len(table))


def _suggestion(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _mark_points_without_rounds(rows: Rows, results_dir: Place) -> None:
    """Change the status of processes that were ``ok``, and whose rounds cannot be read.

    A process that was not ``ok`` may have no rounds.
    """
    if not (results_dir / ROUNDS).is_dir():
        return
    is_ok = pc.equal(rows.table["status"], "ok")
    wanted: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
    for one in as_rows(rows.table.select(_PLACE).filter(is_ok)):
        wanted[one["sweep_id"]][one["point_index"], one["attempt"]] = 1
    reasons: dict[tuple[str, int, int], str] = {}
    for sweep_id, attempts in wanted.items():
        for attempt, (path, reason) in missing(results_dir, ROUNDS, sweep_id, attempts).items():
            reasons[sweep_id, *attempt] = f"its rounds cannot be read: {reason}"
            rows.unreadable[path] = reason
    if reasons:
        status, detail = rows.table["status"].to_pylist(), rows.table["detail"].to_pylist()
        places = zip(*(rows.table[name].to_pylist() for name in _PLACE), strict=True)
        for row, place in enumerate(places):
            if status[row] == "ok" and place in reasons:
                status[row], detail[row] = UNREADABLE, reasons[place]
        for name, texts in {"status": status, "detail": detail}.items():
            column = pa.array(texts, pa.string()).dictionary_encode()
            rows.table = rows.table.set_column(rows.table.column_names.index(name), name, column)
