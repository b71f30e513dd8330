"""Read the files of the data sets that are whole, and name those that are not.

A file is damaged if a disk lost a part of it, or if something else has its name. One such file must neither
stop the reader of a folder nor count as a measurement.
"""

from __future__ import annotations

import contextlib
import os
import stat
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from l2sweep.analysis.constraints import Constraint
from l2sweep.errors import UnreadableRecordsWarning, shown
from l2sweep.records.reading.filtering import matching
from l2sweep.records.schema import RENAMED_COLUMNS
from l2sweep.records.store.place import Place, StorePath, below
from l2sweep.records.trusted_files import is_sweep_id

UNREADABLE = "unreadable"
"""Status of a point whose records cannot be read. It is never written."""

TEXT = pa.dictionary(pa.int32(), pa.string())
"""Type of a column with texts when it is read: few of the texts differ."""
ERRORS = (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError)
"""What reading a damaged file may raise."""
_ALWAYS_READ = ("sweep_id", "point_index", "attempt")
_OLD_NAMES = {new: old for old, new in RENAMED_COLUMNS.items()}
_MAGIC = b"PAR1"  # the first and the last bytes of a Parquet file
_NAMED = 3  # files, to keep a warning readable
_MANY_ROWS = 20_000  # below, starting threads takes longer than reading, and reading twice than filtering
_ROW = " row"  # no column that is recorded has a space


class LaterReleaseError(ValueError):
    """A file has a column that this release does not know."""


def why_unreadable(path: Place, num_rows: int = 1) -> str:
    """Return why a file of a data set cannot be read, judged by its footer; empty if it can.

    Args:
        path: Place of the file.
        num_rows: Number of rows that it has at least.
    """
    try:
        with opened(path) as file:
            found = pq.read_metadata(file).num_rows
    except ERRORS as error:
        return reason_of(error)
    return f"it has {found} of {num_rows} rows" if found < num_rows else ""


@contextlib.contextmanager
def opened(path: Place) -> Iterator[BinaryIO]:
    """Open a file that may be Parquet for the block. A FIFO does not block.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is certainly not Parquet, from its kind, its size and its last bytes.
    """
    if isinstance(path, StorePath):
        with path.opened() as file:
            yield file
        return
    # Opened here, because Arrow cannot open a path that UTF-8 lacks.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        if status.st_size == 0:
            raise ValueError("it is empty")
        if os.pread(file.fileno(), len(_MAGIC), max(0, status.st_size - len(_MAGIC))) != _MAGIC:
            raise ValueError("it is truncated, or not Parquet")
        yield file


def as_read(columns: pa.Schema) -> pa.Schema:
    """Return the columns with the types that :func:`read_file` gives them: texts are dictionary-encoded."""
    typed = [field.with_type(TEXT) if pa.types.is_string(field.type) else field for field in columns]
    return pa.schema(typed)


def read_file(
    path: Place,
    sweep_id: str,
    columns: pa.Schema,
    phase: str | None = None,
    where: Constraint | None = None,
    *,
    is_all: bool = False,
) -> pa.Table:
    """Read a file of a sweep.

    Args:
        path: Place of the file.
        sweep_id: The sweep whose rows it must contain.
        columns: The columns to read. A column that the file does not have is null.
        phase: The only phase whose rows are read; None: all.
        where: A condition on these columns. Rows that do not meet it may be left out; in a large file all of
            them are, and the other columns of a row group without any row are not read. None: all rows.
        is_all: Whether the file must have no other columns than these.

    Returns:
        The rows, with the types of :func:`as_read`.

    Raises:
        OSError: The file cannot be read.
        ArrowException: It is damaged, or its columns have other types.
        LaterReleaseError: It has other columns.
        ValueError: The rows are not those of the sweep.
        RequestError: The condition cannot be computed.
    """
    with opened(path) as file:
        texts = [field.name for field in columns if pa.types.is_string(field.type)]
        parquet = _parquet_file(file, texts, is_far=isinstance(path, StorePath))
        groups = _RowGroups(parquet, sweep_id, phase)
        if is_all and (unknown := groups.names.difference(columns.names, RENAMED_COLUMNS)):
            raise LaterReleaseError(f"it has the column {shown(min(unknown))} of a later release")
        if where is None or groups.num_rows <= _MANY_ROWS:
            return groups.read(groups.numbers, columns)
        tables = [groups.read_matching(number, columns, where) for number in groups.numbers]
        return pa.concat_tables([groups.read([], columns), *tables])


@dataclass(frozen=True)
class _RowGroups:
    """The row groups of an open file that may have rows of a phase."""

    parquet: pq.ParquetFile
    sweep_id: str
    phase: str | None

    @property
    def names(self) -> set[str]:
        return set(self.parquet.schema_arrow.names)

    @property
    def numbers(self) -> list[int]:
        return _row_groups(self.parquet.metadata, self.phase)

    @property
    def num_rows(self) -> int:
        return sum(self.parquet.metadata.row_group(number).num_rows for number in self.numbers)

    def read(self, numbers: Sequence[int], columns: pa.Schema) -> pa.Table:
        table = self._checked(numbers, columns)
        return _typed(table if self.phase is None else table.filter(self._of_phase(table)), columns)

    def read_matching(self, number: int, columns: pa.Schema, where: Constraint) -> pa.Table:
        """Read the rows of a row group that meet a condition: first only the columns that it names."""
        named = {name.partition(".")[0] for name in where.names}
        of_condition = pa.schema([field for field in columns if field.name in named])
        table = self._checked([number], of_condition)
        known = _typed(table, of_condition).append_column(_ROW, pa.array(np.arange(len(table))))
        if self.phase is not None:
            known = known.filter(self._of_phase(table))
        is_kept = np.zeros(len(table), np.bool_)
        is_kept[matching(known, where)[_ROW].to_numpy()] = True
        if not is_kept.any():
            return self.read([], columns)
        return _typed(self._checked([number], columns).filter(pa.array(is_kept)), columns)

    def _checked(self, numbers: Sequence[int], columns: pa.Schema) -> pa.Table:
        present = self.names
        read = {*columns.names, *_ALWAYS_READ, *(("phase",) if self.phase is not None else ())}
        read |= {_OLD_NAMES[name] for name in columns.names if name not in present and name in _OLD_NAMES}
        rows = sum(self.parquet.metadata.row_group(number).num_rows for number in numbers)
        table = self.parquet.read_row_groups(
            list(numbers), columns=list(read & present), use_threads=rows > _MANY_ROWS
        )
        table.validate(full=True)
        _require_rows_of(table, self.sweep_id)
        return table

    def _of_phase(self, table: pa.Table) -> Any:
        """Tell which rows are of the phase; none in a file without this column."""
        if "phase" not in table.column_names:
            return pa.array(np.zeros(len(table), np.bool_))
        return pc.equal(table["phase"], self.phase)


def _typed(table: pa.Table, columns: pa.Schema) -> pa.Table:
    """Return the columns with the types of :func:`as_read`; null where the file has none."""
    wanted = as_read(columns)
    if set(table.column_names).issuperset(columns.names):
        selected = table.select(columns.names)
        if selected.schema.equals(wanted):
            return selected.replace_schema_metadata(None)
    return pa.table([_column(table, field) for field in columns], schema=wanted)


def _parquet_file(file: BinaryIO, texts: Sequence[str], *, is_far: bool) -> pq.ParquetFile:
    """Open a Parquet file; texts are read as dictionaries, and ranges of a far file together."""
    try:
        return pq.ParquetFile(file, read_dictionary=texts, pre_buffer=is_far)
    except KeyError:  # of an earlier schema version
        names = pq.read_metadata(file).schema.to_arrow_schema().names
        texts = [name for name in texts if name in names]
        return pq.ParquetFile(file, read_dictionary=texts, pre_buffer=is_far)


def _row_groups(metadata: pq.FileMetaData, phase: str | None) -> list[int]:
    """Return the row groups that may contain rows of a phase, according to their statistics."""
    groups = list(range(metadata.num_row_groups))
    names = metadata.schema.names
    if phase is None or "phase" not in names:
        return groups
    column = names.index("phase")
    found = []
    for group in groups:
        statistics = metadata.row_group(group).column(column).statistics
        is_known = statistics is not None and statistics.has_min_max
        if not is_known or statistics.min <= phase <= statistics.max:
            found.append(group)
    return found


def _require_rows_of(table: pa.Table, sweep_id: str) -> None:
    # The id is the name of a folder for whoever reads the rows, and decides which files night removes.
    for name in _ALWAYS_READ:
        if name not in table.column_names:
            raise ValueError(f"it has no column {name}")
        if table[name].null_count:
            raise ValueError(f"it has rows without {name}")
    for found in pc.unique(table["sweep_id"]).to_pylist():
        if not is_sweep_id(found):
            raise ValueError(f"{shown(found)} is not a sweep_id")
        if found != sweep_id:
            raise ValueError(f"its rows are of sweep {found}")


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray:
    name = field.name if field.name in table.column_names else _OLD_NAMES.get(field.name, "")
    if name not in table.column_names:
        is_text = pa.types.is_string(field.type)
        return pa.chunked_array([pa.nulls(len(table), TEXT if is_text else field.type)])
    column = table[name]
    if not pa.types.is_string(field.type):
        return column.cast(field.type)
    return column if column.type == TEXT else column.cast(pa.string()).dictionary_encode()


def warn_unreadable(
    results_dir: Place,
    unreadable: Mapping[Place, str],
    others: Sequence[Place] = (),
    replaced: Sequence[Place] = (),
) -> None:
    """Warn once of all files that were not read, with their number and the first names.

    Args:
        results_dir: Folder of the data sets.
        unreadable: The files that cannot be read, and why.
        others: Parquet files without the name of a record.
        replaced: Files whose rows a compacted file has.
    """
    parts = []
    if unreadable:
        named = [
            f"{shown(below(path, results_dir))} ({reason})" for path, reason in sorted(unreadable.items())
        ]
        parts.append(f"{_files(len(named))} in {shown(results_dir)} cannot be read: {_first(named)}")
    reasons = {
        "the name is not SWEEP_ID.POINT_INDEX.ATTEMPT.parquet": others,
        "a compacted file replaces it": replaced,
    }
    for reason, paths in reasons.items():
        if paths:
            named = [shown(below(path, results_dir)) for path in sorted(paths)]
            parts.append(
                f"{_files(len(named))} in {shown(results_dir)} ignored, because {reason}: {_first(named)}"
            )
    if parts:
        warnings.warn("; ".join(parts), UnreadableRecordsWarning, stacklevel=4)


def reason_of(error: BaseException) -> str:
    """Return why a file cannot be read, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shown(text.splitlines()[0] if text else type(error).__name__).rstrip(".")


def _files(count: int) -> str:
    return f"{count} file{'s' if count > 1 else ''}"


def _first(named: Sequence[str]) -> str:
    more = len(named) - _NAMED
    return ", ".join(named[:_NAMED]) + (f", and {more} more" if more > 0 else "")
