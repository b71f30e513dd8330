"""Merge the rows of the clients of a round into one row, so that a client never counts as a repeat.

A client is not independent of the others: they use the same store at the same time. What is summarised or
compared is therefore what all of them did together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from l2sweep.analysis.ended import known

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Row = Mapping[str, Any]

CLIENT_COLUMNS = ("client", "clients")
"""The columns that tell of clients, which rows before schema version 7 do not have."""
CLOCK_COLUMNS = ("clock_offset_s", "clock_error_s")
"""The columns that tell how the clock of a host differs, which rows before schema version 8 do not have."""
ROUND = ("sweep_id", "point_index", "attempt", "phase", "round")
"""The columns that the rows of the clients of a round have in common."""
_SUMMED = (
    *("keys_requested", "keys_expected", "keys_ok", "bytes_requested", "bytes_ok", "stored_bytes"),
    *("verified_keys", "sampled_keys", "mismatched_keys", "false_hits", "false_misses"),
    "evicted_keys",
    *("cpu_user_s", "cpu_sys_s", "device_read_bytes", "device_write_bytes"),
)
_LARGEST = (
    *("flush_s", "start_skew_s", "dirty_after_flush_bytes", "resident_at_start_fraction", "clock_error_s"),
    "block_device_busy_s",
)
# The clients of a host read the counters of the same devices, and those of another host read others.
_SUMMED_OVER_HOSTS = (
    *("block_device_read_bytes", "block_device_write_bytes", "block_device_reads", "block_device_writes"),
    *("block_device_flushes", "block_device_read_time_s", "block_device_write_time_s"),
    "block_device_queue_s",
)
_JOINED = ("submit_latency_s", "submit_unfinished_s")
# Of rows with different statuses, the first of these is that of the round.
_WORST_FIRST = ("timeout", "error", "unconfirmed", "partial", "ok")


def merged(rounds: Any) -> Any:
    """Return rounds in which the rows of the clients of a round are one row, in the place of the first.

    Bytes, keys and times of the CPU are summed, and latencies joined. The duration runs from the first start
    to the last end; there is none if a client has none. A round is only ``ok`` if it is for every client.

    Args:
        rounds: Rows of ``rounds`` as a data frame, an Arrow table or mappings, of any schema version.

    Returns:
        The same, unchanged if no point has several clients.
    """
    if hasattr(rounds, "column_names"):
        return _merged_table(rounds)
    if hasattr(rounds, "columns"):
        return _merged_frame(rounds)
    rows = list(rounds)
    if not any(has_clients(row) for row in rows):
        return rows
    return [row for _, row in sorted(_placed(rows, range(len(rows))), key=lambda placed: placed[0])]


def first_clients(points: Any) -> Any:
    """Return rows of ``points`` without those of later clients, whose status is that of the first.

    Args:
        points: As for :func:`merged`, of the data set ``points``.
    """
    if hasattr(points, "column_names"):
        import pyarrow.compute as pc

        if "client" not in points.column_names:
            return points
        return points.filter(pc.equal(pc.fill_null(points["client"], 0), 0))
    if hasattr(points, "columns"):
        return points[points["client"].fillna(0) == 0] if "client" in points else points
    return [row for row in points if not known(row.get("client"))]


def has_clients(row: Row) -> bool:
    """Whether a row is of a point with several clients."""
    return (known(row.get("clients")) or 1) > 1


def round_of(row: Row) -> tuple[Any, ...]:
    """Return what the rows of the clients of a round have in common."""
    return tuple(row.get(name) for name in ROUND)


def merged_round(rows: Sequence[Row], started_s: Sequence[float | None]) -> dict[str, Any]:
    """Return one row for the clients of a round.

    Args:
        rows: A row of each client; columns that are missing stay missing.
        started_s: When each of them started its first submit, in seconds since some moment; None: it did not.
            Since the epoch, a float is exact to 0.2 us only.
    """
    durations_s, elapsed_s = ([known(row.get(name)) for row in rows] for name in ("duration_s", "elapsed_s"))
    elapsed_s = [
        own if own is not None else duration_s for own, duration_s in zip(elapsed_s, durations_s, strict=True)
    ]
    first = min(
        (position for position, start_s in enumerate(started_s) if start_s is not None),
        key=lambda position: cast(float, started_s[position]),
        default=0,
    )
    statuses = [row["status"] for row in rows]
    one = {**rows[0]}
    one["status"] = next((status for status in _WORST_FIRST if status in statuses), statuses[0])
    one["duration_s"] = _from_first_to_last(started_s, durations_s)
    changed: dict[str, Any] = {
        "client": None,
        "detail": "; ".join(dict.fromkeys(row["detail"] for row in rows if row.get("detail"))),
        "started_at": rows[first].get("started_at"),
        "started_at_s": rows[first].get("started_at_s"),
        "clock_offset_s": rows[first].get("clock_offset_s"),
        "elapsed_s": _from_first_to_last(started_s, elapsed_s),
        "cache_state": "/".join(sorted({row["cache_state"] for row in rows if known(row.get("cache_state"))}))
        or None,
        "submit_started_s": [],
        "loaded_from": _summed_lists([row.get("loaded_from") for row in rows]),
        **{name: _of_known(sum, rows, name) for name in _SUMMED},
        **{name: _of_known(max, rows, name) for name in _LARGEST},
        **{name: _over_hosts(rows, name) for name in _SUMMED_OVER_HOSTS},
        **{name: [value for row in rows for value in values_of(row, name)] for name in _JOINED},
    }
    return one | {name: value for name, value in changed.items() if name in one}


def values_of(row: Row, name: str) -> Sequence[float]:
    """Return a list of a row; empty if it is missing."""
    values = row.get(name)
    return () if values is None or isinstance(values, float) else values


def _from_first_to_last(started_s: Sequence[float | None], took_s: Sequence[float | None]) -> float | None:
    """Return the time from the first start to the last end; None if one of them is unknown."""
    times = [
        (start_s, start_s + one_s)
        for start_s, one_s in zip(started_s, took_s, strict=True)
        if start_s is not None and one_s is not None
    ]
    if len(times) < len(took_s):
        return None
    return max(end_s for _, end_s in times) - min(start_s for start_s, _ in times)


def _summed_lists(lists: Sequence[Any]) -> list[int] | None:
    """Return the sums of the first values, of the second ones, and so on; None if a list is missing."""
    if any(one is None or isinstance(one, float) for one in lists):
        return None
    return [sum(values) for values in zip(*lists, strict=False)]


def _of_known(combine: Callable[[list[Any]], Any], rows: Sequence[Row], name: str) -> Any:
    values = [known(row.get(name)) for row in rows]
    return None if any(value is None for value in values) else combine(values)


def _over_hosts(rows: Sequence[Row], name: str) -> Any:
    """Return the sum over hosts of the largest value of each; None if a value is unknown."""
    of_host: dict[Any, list[Row]] = {}
    for row in rows:
        of_host.setdefault(row.get("host"), []).append(row)
    values = [_of_known(max, own, name) for own in of_host.values()]
    return None if any(value is None for value in values) else sum(values)


def offsets_s(rows: Sequence[Row]) -> list[float | None]:
    """Return for each row the time since the first of them started, in seconds; None if it did not start.

    The times of several hosts are those of one clock, as far as the clocks could be compared.
    """
    started = [_started_at(row) for row in rows]
    known_at = [one for one in started if one is not None and one == one]  # NaT is not equal to itself
    first = min(known_at, default=None)
    return [
        None if one is None or one != one or first is None else (one - first).total_seconds()
        for one in started
    ]


def _started_at(row: Row) -> Any:
    started_at = row.get("started_at")
    offset_s = known(row.get("clock_offset_s"))
    return started_at if started_at is None or not offset_s else started_at + timedelta(seconds=offset_s)


def _placed(rows: Sequence[Row], places: Iterable[int]) -> list[tuple[int, Row]]:
    """Return the merged rows with the place of the first of each."""
    together: dict[tuple[Any, ...], list[tuple[int, Row]]] = {}
    placed: list[tuple[int, Row]] = []
    for place, row in zip(places, rows, strict=True):
        if has_clients(row):
            together.setdefault(round_of(row), []).append((place, row))
        else:
            placed.append((place, row))
    for of_round in together.values():
        own = [row for _, row in of_round]
        placed.append((of_round[0][0], merged_round(own, offsets_s(own))))
    return placed


def _merged_table(table: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if "clients" not in table.column_names or (pc.max(table["clients"]).as_py() or 1) < 2:
        return table
    several = pc.fill_null(pc.greater(table["clients"], 1), False)
    places = pc.indices_nonzero(several).to_pylist()
    placed = _placed(table.filter(several).to_pylist(), places)
    columns = {
        field.name: pa.array([row[field.name] for _, row in placed], field.type) for field in table.schema
    }
    others = pc.invert(several)
    joined = pa.concat_tables([table.filter(others), pa.table(columns, schema=table.schema)])
    at = [*pc.indices_nonzero(others).to_pylist(), *(place for place, _ in placed)]
    return joined.unify_dictionaries().take(pa.array(sorted(range(len(at)), key=at.__getitem__)))


def _merged_frame(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    if "clients" not in frame or not (several := (frame["clients"].fillna(1) > 1).to_numpy()).any():
        return frame
    places = several.nonzero()[0].tolist()
    placed = _placed(cast("list[Row]", frame[several].to_dict("records")), places)
    one_each = pd.DataFrame([row for _, row in placed], index=[place for place, _ in placed])
    others = frame[~several].set_axis((~several).nonzero()[0])
    parts = [part for part in (others, one_each[list(frame.columns)]) if len(part)]
    return pd.concat(parts).sort_index()
