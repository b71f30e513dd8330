"""Read the rows of a data set: of the sweeps and the phase that are asked for, and each row once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa

from l2sweep.analysis.constraints import Constraint
from l2sweep.errors import shown
from l2sweep.records import schema
from l2sweep.records.reading.intact import ERRORS, as_read, read_file, reason_of, warn_unreadable
from l2sweep.records.reading.listing import DataSetFiles, SweepFiles, list_files
from l2sweep.records.store.place import Place, asked_again, narrowed

_PLACE = pa.schema([schema.POINTS.field(name) for name in ("point_index", "attempt")])
_MANY_FILES = 32  # below, starting threads takes longer than reading
_THREADS = min(8, os.cpu_count() or 1)
TRIES = 10
"""How often files are listed again: a compaction moves old files into a folder, and exchanges it once."""


@dataclass
class Rows:
    """Rows of a data set, and the files whose rows are missing.

    Attributes:
        table: The rows, sweep by sweep and as they are in the files. Texts are dictionary-encoded.
        unreadable: The files that cannot be read, and why.
        others: Parquet files without the name of a record.
        replaced: Files whose rows a compacted file has.
    """

    table: pa.Table
    unreadable: dict[Place, str] = field(default_factory=dict)
    others: list[Place] = field(default_factory=list)
    replaced: list[Place] = field(default_factory=list)

    def warn(self, results_dir: Place) -> None:
        """Warn of the files whose rows are missing."""
        warn_unreadable(results_dir, self.unreadable, self.others, self.replaced)


def read_rows(
    results_dir: Place,
    data_set: str,
    columns: pa.Schema,
    *,
    sweep_ids: Collection[str] | None = None,
    phase: str | None = None,
    where: Constraint | None = None,
) -> Rows:
    """Read the rows of a data set, of every schema version.

    A compaction may replace files while they are read. Then a file of the list is missing, and all are listed
    and read again.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        columns: The columns to read. A column that a file does not have is null.
        sweep_ids: The only sweeps whose files are opened; None: all.
        phase: The only phase whose row groups are read; None: all.
        where: A condition on these columns. Rows that do not meet it may be left out.

    Raises:
        FileNotFoundError: The folder has no such data set.
    """
    results_dir = narrowed(results_dir, sweep_ids)
    folder = results_dir / data_set
    if not folder.is_dir():
        raise FileNotFoundError(f"no records in {shown(folder)}: run a sweep with this results_dir first")
    listed = list_files(results_dir, data_set, sweep_ids)
    for _ in range(TRIES):
        rows, has_missed = _read(listed, columns, phase, where)
        if has_missed:
            results_dir = asked_again(results_dir)
        now = list_files(results_dir, data_set, sweep_ids) if has_missed else listed
        if now == listed:  # nothing is missing, or it was missing before
            break
        listed = now
    return rows


def read_files(
    files: Sequence[tuple[Place, str]],
    columns: pa.Schema,
    phase: str | None = None,
    where: Constraint | None = None,
    *,
    is_all: bool = False,
) -> Iterator[pa.Table | Exception]:
    """Read files, and yield the rows of each, or why it cannot be read.

    Args:
        files: Path and sweep of each file.
        columns: As in :func:`l2sweep.records.reading.intact.read_file`, as the other arguments.
    """

    def read(file: tuple[Place, str]) -> pa.Table | Exception:
        try:
            return read_file(*file, columns, phase, where, is_all=is_all)
        except ERRORS as error:
            return error

    if len(files) < _MANY_FILES:
        yield from map(read, files)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(read, files)


def attempts_in(path: Place, sweep_id: str) -> dict[tuple[int, int], int]:
    """Return how many rows a file has of each attempt: an index of a point, and a number of an attempt.

    Raises:
        OSError, ArrowException, ValueError: As :func:`l2sweep.records.reading.intact.read_file`.
    """
    table = read_file(path, sweep_id, _PLACE)
    counted = table.group_by(_PLACE.names).aggregate([([], "count_all")])
    columns = (counted[name].to_numpy().tolist() for name in counted.column_names)
    return {(index, attempt): count for index, attempt, count in zip(*columns, strict=True)}


def _read(
    listed: DataSetFiles, columns: pa.Schema, phase: str | None, where: Constraint | None
) -> tuple[Rows, bool]:
    """Read the listed files, and tell whether one of them does not exist."""
    rows = Rows(_empty(columns), others=listed.others, replaced=list(listed.replaced))
    files: list[tuple[Place, str]] = []
    for sweep_id, own in sorted(listed.sweeps.items()):
        doubled = set(doubled_files(own, sweep_id))
        rows.replaced += doubled
        files += [(path, sweep_id) for path in own.paths if path not in doubled]

    tables = [rows.table]
    has_missed = False
    for (path, _), found in zip(files, read_files(files, columns, phase, where), strict=True):
        if isinstance(found, Exception):
            has_missed = has_missed or isinstance(found, FileNotFoundError)
            rows.unreadable[path] = reason_of(found)
        else:
            tables.append(found)
    rows.table = pa.concat_tables(tables).unify_dictionaries()
    return rows, has_missed


def _empty(columns: pa.Schema) -> pa.Table:
    return pa.table([pa.nulls(0, field.type) for field in as_read(columns)], schema=as_read(columns))


def doubled_files(files: SweepFiles, sweep_id: str) -> Iterator[Place]:
    """Yield the files of attempts whose rows the compacted file has, too.

    A copy of a results folder that is updated without removing files has both.

    Args:
        files: The files of a sweep in a data set.
        sweep_id: The sweep.
    """
    if files.compacted is None or not files.attempts:
        return
    with contextlib.suppress(*ERRORS):
        known = attempts_in(files.compacted[0], sweep_id)
        yield from (path for key, path in files.attempts.items() if key in known)
