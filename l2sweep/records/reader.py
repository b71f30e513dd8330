"""Read the data sets: as pandas data frames in the order in which they were run, or as Arrow tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.query import Query
from l2sweep.records.selectors import select
from l2sweep.records.store.place import ResultsDir, place_of

if TYPE_CHECKING:
    import pandas as pd

_ORDERED = ("sweep_id", "point_index", "attempt", "started_at")
_LARGEST_KEY = 2**62


def load_rounds(
    results_dir: ResultsDir = "results",
    *,
    sweep: str | Sequence[str] | None = None,
    phase: str | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
) -> pd.DataFrame:
    """Read recorded rounds, of every schema version.

    Derived columns:

    - ``mib_per_s``: ``bytes_ok`` / ``duration_s``. Missing for lookups, which move no payload.
    - ``mib_per_s_elapsed``: ``bytes_ok`` / ``elapsed_s``, also for a round that timed out. Before schema
      version 4, ``elapsed_s`` is ``duration_s``. Missing for lookups.
    - ``durable_mib_per_s``: ``bytes_ok`` / (``duration_s`` + ``flush_s``), for stores that were flushed; 0 if
      the round is not ok.
    - ``keys_per_s``: answered keys / ``duration_s``. Answered keys are ``keys_ok`` of stores and loads, and
      ``keys_requested`` of lookups, because a miss is an answer.
    - ``latency_per_key_s``: ``duration_s`` / answered keys.
    - ``block_device_queue_depth``, ``block_device_request_bytes``, ``block_device_latency_s``,
      ``block_device_busy_fraction``: see :func:`l2sweep.analysis.tune.device.derived_of`.
    - ``fleet_host``: ``host`` for the rows of a fleet, and missing for others.
    - ``adapter.NAME``: a field of the adapter spec, such as ``adapter.num_workers``.

    All but ``mib_per_s_elapsed``, ``fleet_host`` and the fields are missing if a round has no duration. The
    throughput of a round that failed is above 0 only if bytes moved or keys were answered.

    Args:
        results_dir: Folder of the data sets.
        sweep: A selector such as ``latest`` or ``name:nightly~1..7`` (``docs/records.md``), or ids of sweeps:
            only the files of these sweeps are opened. None: all sweeps.
        phase: The only phase whose rows are read; None: all phases.
        columns: The columns to read; None: all.
        where: A condition on the rows in the language of ``constraints``, such as
            ``num_keys > 8 and adapter.num_workers == 4``. A row that lacks a value that the condition needs
            does not match.

    Returns:
        One row per round, in the order in which the rounds were run. The rows of a file that cannot be read
        are missing.

    Raises:
        FileNotFoundError: The folder has no records.
        RequestError: The selector selects nothing, a column is unknown, or the condition is wrong.
        StoreError: The store of a URL cannot be reached or used: there is no such bucket, access is denied.

    Warns:
        UnreadableRecordsWarning: With the files that cannot be read.
    """
    table = _read(ROUNDS, results_dir, sweep, phase, columns, where, _ORDERED)
    return _frame(table, columns)


def load_points(
    results_dir: ResultsDir = "results",
    *,
    sweep: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
) -> pd.DataFrame:
    """Read the results of benchmark processes, of every schema version.

    ``fleet_host`` and ``adapter.NAME`` are derived as in :func:`load_rounds`.

    Args:
        results_dir: Folder of the data sets.
        sweep: As in :func:`load_rounds`.
        columns: As in :func:`load_rounds`.
        where: As in :func:`load_rounds`.

    Returns:
        One row per process, in the order in which the processes were run. The rows of a file that cannot be
        read are missing. A process that was ``ok`` has the status ``unreadable`` if the rounds of its point
        cannot be read, unless the folder has no ``rounds`` at all.

    Raises:
        FileNotFoundError: The folder has no records.
        RequestError: The selector selects nothing, a column is unknown, or the condition is wrong.
        StoreError: The store of a URL cannot be reached or used: there is no such bucket, access is denied.

    Warns:
        UnreadableRecordsWarning: With the files that cannot be read.
    """
    table = _read(POINTS, results_dir, sweep, None, columns, where, _ORDERED)
    return _frame(table, columns)


def rounds_table(
    results_dir: ResultsDir = "results",
    *,
    sweep: str | Sequence[str] | None = None,
    phase: str | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
) -> pa.Table:
    """Read recorded rounds without importing pandas, for commands that must answer at once.

    Args:
        results_dir: As in :func:`load_rounds`, as all arguments.

    Returns:
        The rows of :func:`load_rounds`, sweep by sweep and as they are in the files. Texts are
        dictionary-encoded.

    Raises:
        FileNotFoundError, RequestError: As :func:`load_rounds`.
    """
    return _read(ROUNDS, results_dir, sweep, phase, columns, where)


def points_table(
    results_dir: ResultsDir = "results",
    *,
    sweep: str | Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    where: str | None = None,
) -> pa.Table:
    """Read the results of benchmark processes without importing pandas.

    Args:
        results_dir: As in :func:`load_points`, as all arguments.

    Returns:
        The rows of :func:`load_points`, sweep by sweep and as they are in the files. Texts are
        dictionary-encoded.

    Raises:
        FileNotFoundError, RequestError: As :func:`load_points`.
    """
    return _read(POINTS, results_dir, sweep, None, columns, where)


def _read(
    data_set: str,
    results_dir: ResultsDir,
    sweep: str | Sequence[str] | None,
    phase: str | None,
    columns: Sequence[str] | None,
    where: str | None,
    more: Sequence[str] = (),
) -> pa.Table:
    folder, sweep_ids = place_of(results_dir), sweep
    if isinstance(sweep, str):
        selection = select(sweep, results_dir)
        folder, sweep_ids = selection.results_dir, selection.sweep_ids
    rows = Query(data_set, sweep_ids, phase, columns, where, more).answer(folder)
    rows.warn(folder)
    return rows.table


def _frame(table: pa.Table, columns: Sequence[str] | None) -> pd.DataFrame:
    """Return the rows as a data frame, in the order in which they were run."""
    order = _order(table)
    if order is not None:
        table = table.take(pa.array(order))
    if columns is not None:
        table = table.select(list(dict.fromkeys(columns)))
    texts = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    frame: pd.DataFrame = table.cast(pa.schema(texts)).to_pandas()
    return frame


def _order(table: pa.Table) -> Any:
    """Return the indices of the rows in the order in which they were run; None if that is their order.

    Sweeps are sorted by their first start time. The rounds of an attempt are already in order, and a round
    that was not run has no start time to sort by.
    """
    began = {
        row["sweep_id"]: row["started_at_min"]
        for row in table.group_by("sweep_id").aggregate([("started_at", "min")]).to_pylist()
    }
    never_began = [sweep_id for sweep_id, start in began.items() if start is None]
    in_order = sorted(began.keys() - never_began, key=lambda one: (began[one], one)) + sorted(never_began)
    ranks = [
        _rank(table["sweep_id"], in_order),
        *map(_numbers, map(table.column, ("point_index", "attempt"))),
    ]
    sizes = [int(rank.max(initial=0)) + 1 for rank in ranks]
    if min(int(rank.min(initial=0)) for rank in ranks) < 0 or math.prod(sizes) > _LARGEST_KEY:
        return np.lexsort(ranks[::-1])  # numbers that l2sweep does not write
    key = ranks[0]
    for rank, size in zip(ranks[1:], sizes[1:], strict=True):
        key = key * size + rank
    return None if bool((key[1:] >= key[:-1]).all()) else np.argsort(key, kind="stable")


def _rank(texts: pa.ChunkedArray, in_order: Sequence[str]) -> Any:
    encoded = texts.combine_chunks()
    place = {text: number for number, text in enumerate(in_order)}
    of_code = [place.get(text, len(place)) for text in encoded.dictionary.to_pylist()]
    codes = pc.fill_null(encoded.indices, len(of_code)).to_numpy(zero_copy_only=False)
    return np.array([*of_code, len(place)], np.int64)[codes]


def _numbers(column: pa.ChunkedArray) -> Any:
    return column.to_numpy().astype(np.int64)
