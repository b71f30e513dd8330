"""The rows of the table of results: a point and phase over its repeats, or each repeat."""

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.clients.merging import first_clients, merged
from l2sweep.analysis.control import adapter_name_of_row
from l2sweep.analysis.ended import is_auto, known
from l2sweep.analysis.fleet.hosts import FLEET_HOST, with_fleet_hosts
from l2sweep.analysis.rounds.group_summary import summarise_groups
from l2sweep.analysis.rounds.source import is_known
from l2sweep.analysis.rounds.table import RoundTable
from l2sweep.analysis.summary import BY, PARAMETERS
from l2sweep.records.schema import PHASES
from l2sweep.sweep.terminal.results.best import marks
from l2sweep.sweep.terminal.results.client_numbers import CLIENTS, client_numbers, scalings

if TYPE_CHECKING:
    import pyarrow as pa

Row = Mapping[str, Any]

HOST = "host"
"""The parameter that tells the rows of a fleet apart. The rows of other sweeps do not have it."""
_POINT = (*BY, FLEET_HOST)
ALWAYS_NAMED = ("adapter_type", "num_keys", "in_flight", "data_size_kb", "rounds")
"""Parameters that are named above the table if they are the same in every row."""
_OPTIONS = (
    *("adapter_type", "num_keys", "in_flight", "data_size_kb", "lookup_max_hit_rate", "rounds"),
    *("warmup_rounds", "precision", "max_rounds", "max_seconds", "max_warmup_rounds"),
    *("seed", "only", "cache_mode", "release", "through", "concurrent", "trace", "trace_speed", CLIENTS),
)
_REPEAT = ("sweep_id", "point_index", "repeat", "attempt")
_SPEC = "adapter."
_ADAPTER = "adapter_type"


@dataclass(frozen=True)
class ResultRow:
    """A row of the table.

    Attributes:
        numbers: The columns of ``summarise_groups``; None where a number cannot be computed. The
            ``point_index`` is that of the first repeat; None if a row may have several points or sweeps.
        parameters: The options of the point and the fields of its adapter spec, as texts.
        mark: ``*`` for the best row of a phase, ``~`` for those that are not told apart from it.
        is_failed: Whether a process of the point did not end well.
        pools_points: Whether the row may have several points.
    """

    numbers: Row
    parameters: Mapping[str, str]
    mark: str
    is_failed: bool
    pools_points: bool = False


def result_rows(
    rounds: pa.Table | Iterable[Row],
    points: Iterable[Row],
    *,
    each_repeat: bool = False,
    by: Sequence[str] | None = None,
    has_all_rounds: bool = True,
) -> list[ResultRow]:
    """Return the rows of the table, sorted by phase, then by the parameters.

    Args:
        rounds: Rows of the data set ``rounds``, in the order in which they were run.
        points: Rows of the data set ``points`` of the same points, in the order in which they were run.
        each_repeat: Whether each repeat is a row of its own.
        by: Columns that have the same value in a row; None: those of a point.
        has_all_rounds: Whether there are all rounds of the points. If not, the status of a row is that of its
            rounds, and phases without a round have no row.
    """
    processes: list[Row] = first_clients(points)
    recorded = rounds
    if not hasattr(rounds, "column_names"):  # the rows of a running sweep, which were not read
        recorded, processes = with_fleet_hosts(rounds), [*with_fleet_hosts(processes)]
    keys = [*(by or BY), FLEET_HOST, *(_REPEAT if each_repeat else ())]
    described = (*BY, *_REPEAT, *PARAMETERS, "adapter_spec")
    ended = processes if has_all_rounds else []
    is_merged = "client" not in keys
    together = merged(recorded) if is_merged else recorded
    columns = summarise_groups(RoundTable.of(together), keys, described, ended)
    plain = {name: _plain(values) for name, values in columns.items()}
    numbers = [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]
    of_point = {_point(row): row for row in reversed(processes)}
    if by is None:  # the parameters of a point are unknown if its file in points cannot be read
        numbers = [one for one in numbers if _point(one) in of_point]
    failed = {_point(row) for row in processes if row["status"] != "ok"}
    if not each_repeat:
        is_index_known = by is None and len({row["sweep_id"] for row in processes}) == 1
        for one in numbers:  # a first repeat without rounds is not the first phase run
            one["point_index"] = of_point[_point(one)]["point_index"] if is_index_known else None
    if by is None:
        parameters = [_parameters(of_point[_point(one)]) for one in numbers]
    else:
        parameters = [
            {name: _as_text(one[name]) for name in by if name != "phase" and one[name] is not None}
            | _host_of(one)
            for one in numbers
        ]
    of_clients = client_numbers(numbers, recorded if is_merged else [], processes, keys)
    every_scaling = scalings(numbers, parameters)
    for one, more, scaling, given in zip(numbers, of_clients, every_scaling, parameters, strict=True):
        clients = int(given[CLIENTS]) if CLIENTS in given else None
        one.update({**more, CLIENTS: clients, "client_scaling": scaling} if more else {})
    adapters = [adapter_name_of_row(one) for one in numbers]
    rows = [
        ResultRow(one, of_row, mark, _point(one) in failed, pools_points=by is not None)
        for one, of_row, mark in zip(numbers, parameters, marks(numbers, adapters), strict=True)
    ]
    shown = varied(rows)
    return sorted(rows, key=lambda row: _sort_key(row, shown))


def varied(rows: Sequence[ResultRow]) -> list[str]:
    """Return the parameters that differ between the rows, in the order in which they are shown."""
    all_parameters = [row.parameters for row in rows]
    names = dict.fromkeys(itertools.chain.from_iterable(all_parameters))
    return [name for name in names if len({one.get(name) for one in all_parameters}) > 1]


def columns_of(rows: Sequence[ResultRow]) -> list[str]:
    """Return the parameters that differ between rows of the same adapter, and the options that differ.

    A field of the spec that is the same in all rows of each adapter follows from the adapter, so that a sweep
    over many adapters has no column for it: :func:`fields_of_adapters`.
    """
    names = varied(rows)
    if any(row.pools_points for row in rows):  # the user has named them
        return names
    return [name for name in names if not name.startswith(_SPEC) or _varies_within_an_adapter(rows, name)]


def fields_of_adapters(rows: Sequence[ResultRow]) -> dict[str, dict[str, str]]:
    """Return for each adapter the fields of its spec that differ from other adapters, and have no column."""
    shown = columns_of(rows)
    names = [name for name in varied(rows) if name not in shown]
    titles = short_names(names)
    found: dict[str, dict[str, str]] = {}
    for row in rows if names else ():
        own = {titles[name]: row.parameters[name] for name in names if name in row.parameters}
        found.setdefault(row.parameters.get(_ADAPTER, ""), own)
    return {adapter: fields for adapter, fields in found.items() if fields}


def _varies_within_an_adapter(rows: Sequence[ResultRow], name: str) -> bool:
    values: dict[str | None, str | None] = {}
    return any(
        values.setdefault(row.parameters.get(_ADAPTER), row.parameters.get(name)) != row.parameters.get(name)
        for row in rows
    )


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Return a short name for each parameter: a field of the adapter spec loses what leads to it.

    Args:
        names: The parameters. A field whose short name is that of another parameter keeps its own.
    """
    names = list(names)
    last = [name.rpartition(".")[2] for name in names]
    options = (*_OPTIONS, *({HOST} & set(names)))
    return {
        name: name if short in options else short if last.count(short) == 1 else name.removeprefix(_SPEC)
        for name, short in zip(names, last, strict=True)
    }


def _point(row: Row) -> tuple[Any, ...]:
    """Return what the rows of a point have in common."""
    return tuple([value if is_known(value := row.get(name)) else None for name in _POINT])


def _as_text(value: Any) -> str:
    """Return the value of a column; a whole number of a column with missing values is a float."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _sort_key(row: ResultRow, shown: Sequence[str]) -> tuple[Any, ...]:
    values = [row.parameters.get(name, "") for name in shown]
    numbers = row.numbers
    return (
        PHASES.index(numbers["phase"]),
        [_number_or_text(value) for value in values],
        numbers["cache_state"] or "",
        numbers["sweep_id"],
        numbers["point_index"] or 0,
    )


def _number_or_text(text: str) -> tuple[int, float, str]:
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)


def _plain(column: Any) -> list[Any]:
    """Return the values of a column without numpy's types, and with None where there is none."""
    values = column.tolist() if hasattr(column, "tolist") else column
    return [value if is_known(value) else None for value in values]


def _parameters(point: Row) -> dict[str, str]:
    """Return the options of a point and the fields of its adapter spec, as texts."""
    options = {name: _text(value) for name, value in _given(point).items()}
    options["adapter_type"] = adapter_name_of_row(point)
    return {**options, **_host_of(point), **_fields_of_spec(point["adapter_spec"])}


def _host_of(row: Row) -> dict[str, str]:
    """Return the host of a row of a fleet as a parameter; nothing for other rows."""
    return {HOST: str(row[FLEET_HOST])} if is_known(row.get(FLEET_HOST)) else {}


def _given(point: Row) -> dict[str, Any]:
    """Return the options of a point as they were given. With ``auto``, its row has the most rounds."""
    given = {name: point.get(name) for name in _OPTIONS}
    given[CLIENTS] = known(point.get(CLIENTS)) or 1
    given["through"] = known(point.get("through")) or "adapter"
    if is_auto(point):
        given.update(rounds="auto", max_rounds=point["rounds"])
    if known(point.get("warmup_auto")):
        given.update(warmup_rounds="auto", max_warmup_rounds=point["warmup_rounds"])
    return given


@functools.lru_cache(maxsize=256)
def _fields_of_spec(spec: str) -> Mapping[str, str]:
    """Return the fields of an adapter spec, as texts. Many points share a spec."""
    return _fields(json.loads(spec), "adapter")


def _fields(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {name: _text(value)}
    return {
        field: text
        for key, item in value.items()
        if (name, key) != ("adapter", "type")
        for field, text in _fields(item, f"{name}.{key}").items()
    }


def _text(value: Any) -> str:
    if isinstance(value, float) and not math.isnan(value) and value == int(value):
        return str(int(value))  # pandas makes floats of integers, if some are missing
    return str(value) if is_known(value) else "-"
