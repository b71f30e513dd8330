"""Read the files of the data sets that are whole, and name those that are not.

A file is damaged if a disk lost a part of it, or if something else has its name. One such file must neither
stop the reader of a folder nor count as a measurement.
"""

from __future__ import annotations

import os
import re
import stat
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from l2sweep.errors import UnreadableRecordsWarning, shown
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.trusted_files import is_sweep_id

UNREADABLE = "unreadable"
"""Status of a point whose records cannot be read. It is never written."""

FILE_NAME = "__filename"
"""Arrow's name of the column with the path of the file of each row."""
_RECORD = re.compile(r".*\.(?P<point_index>\d+)\.(?P<attempt>\d+)\.parquet")
_MAGIC = b"PAR1"  # the first and the last bytes of a Parquet file
_NAMED = 3  # files, to keep a warning readable
_ERRORS = (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError)


@dataclass(frozen=True)
class Recorded:
    """The files that were written for an attempt at a point.

    Attributes:
        results_dir: Folder of the data sets.
        point_index: Index of the point.
        file_stem: Name of the files, without the extension.
        num_rounds: Number of rows that its file in ``rounds`` has at least; 0: there is no such file.
        num_points: Number of rows that its file in ``points`` has at least.
    """

    results_dir: Path
    point_index: int
    file_stem: str
    num_rounds: int
    num_points: int

    def why_lost(self) -> str:
        """Return which file cannot be read and why; empty if both can be read. Only the footers are read."""
        for data_set, num_rows in ((ROUNDS, self.num_rounds), (POINTS, self.num_points)):
            path = self.results_dir / data_set / f"{self.file_stem}.parquet"
            if num_rows and (reason := why_unreadable(path, num_rows)):
                return f"{path} ({reason})"
        return ""


def record_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the records in a folder of a data set, and the other Parquet files, both sorted by name.

    Files whose name begins with a dot or an underscore, and files of other kinds, are not returned.

    Args:
        folder: ``rounds`` or ``points`` of a results folder.
    """
    records: list[Path] = []
    others: list[Path] = []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if name.endswith(".parquet") and name[0] not in "._":
            (records if _RECORD.fullmatch(name) else others).append(folder / name)
    return records, others


def point_and_attempt(record: Path) -> tuple[int, int]:
    """Return the index of the point and the number of the attempt in the name of a record."""
    parts = _RECORD.fullmatch(record.name)
    assert parts is not None
    return int(parts["point_index"]), int(parts["attempt"])


def why_unreadable(path: Path, num_rows: int = 1) -> str:
    """Return why a file of a data set cannot be read, judged by its footer; empty if it can.

    Args:
        path: Path of the file.
        num_rows: Number of rows that it has at least.
    """
    if reason := _why_no_parquet(path):
        return reason
    try:
        with path.open("rb") as file:  # Arrow cannot open a path that UTF-8 lacks
            found = pq.read_metadata(file).num_rows
    except _ERRORS as error:
        return _reason(error)
    return f"it has {found} of {num_rows} rows" if found < num_rows else ""


def read_records(
    files: Sequence[Path], columns: pa.Schema, *, with_names: bool = False
) -> tuple[pa.Table, dict[Path, str]]:
    """Read all rows of the files that are whole.

    Args:
        files: The files.
        columns: The columns to read, with ``sweep_id``, ``point_index`` and ``attempt``. A column that a file
            does not have is null.
        with_names: Whether to add a column ``FILE_NAME`` with the path of the file of each row.

    Returns:
        The rows, and for each file that cannot be read the reason.
    """
    unreadable = {file: reason for file in files if (reason := _why_no_parquet(file))}
    plausible = [file for file in files if file not in unreadable]
    names = [*columns.names, FILE_NAME] if with_names else columns.names
    try:  # all files at once: that takes half the time of one after another
        return _read(plausible, columns, names), unreadable
    except _ERRORS:
        pass
    tables = [_read([], columns, names)]
    for file in plausible:
        try:
            tables.append(_read([file], columns, names))
        except _ERRORS as error:
            unreadable[file] = _reason(error)
    return pa.concat_tables(tables), unreadable


def warn_unreadable(results_dir: Path, unreadable: Mapping[Path, str], others: Sequence[Path] = ()) -> None:
    """Warn once of all files that were not read, with their number and the first names.

    Args:
        results_dir: Folder of the data sets.
        unreadable: The files that cannot be read, and why.
        others: Parquet files without the name of a record.
    """
    parts = []
    if unreadable:
        named = [
            f"{shown(path.relative_to(results_dir))} ({reason})"
            for path, reason in sorted(unreadable.items())
        ]
        parts.append(f"{_files(len(named))} in {shown(results_dir)} cannot be read: {_first(named)}")
    if others:
        named = [shown(path.relative_to(results_dir)) for path in others]
        parts.append(
            f"{_files(len(named))} in {shown(results_dir)} ignored, because the name is not "
            f"SWEEP_ID.POINT_INDEX.ATTEMPT.parquet: {_first(named)}"
        )
    if parts:
        # The caller of load_rounds() or load_points(): l2sweep.load_* adds a frame, as does the loader.
        warnings.warn("; ".join(parts), UnreadableRecordsWarning, stacklevel=4)


def _files(count: int) -> str:
    return f"{count} file{'s' if count > 1 else ''}"


def _first(named: Sequence[str]) -> str:
    more = len(named) - _NAMED
    return ", ".join(named[:_NAMED]) + (f", and {more} more" if more > 0 else "")


def _why_no_parquet(path: Path) -> str:
    """Return why a file is certainly not Parquet, from its kind, its size and its last bytes: 10 us."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return "it is not a regular file"
            if status.st_size == 0:
                return "it is empty"
            last = os.pread(descriptor, len(_MAGIC), max(0, status.st_size - len(_MAGIC)))
        finally:
            os.close(descriptor)
    except OSError as error:
        return _reason(error)
    return "" if last == _MAGIC else "it is truncated, or not Parquet"


def _read(files: Sequence[Path], columns: pa.Schema, names: Sequence[str]) -> pa.Table:
    """Read files as one table.

    Raises:
        OSError: A file cannot be read.
        ArrowException: A file is damaged, or its columns have other types.
        ValueError: The rows are not those of l2sweep.
    """
    if not files:  # ds.dataset() would take an empty list for one of data sets
        more = [pa.field(FILE_NAME, pa.string())] if FILE_NAME in names else []
        return pa.schema([*columns, *more]).empty_table()
    table = ds.dataset(list(map(str, files)), schema=columns, format="parquet").to_table(
        columns=list(dict.fromkeys((*names, FILE_NAME)))
    )
    table.validate(full=True)
    for name in ("sweep_id", "point_index", "attempt"):
        if table[name].null_count:
            raise ValueError(f"it has rows without {name}")
    # The id is the name of a folder for whoever reads the rows, and decides which files night removes.
    for row in table.group_by(["sweep_id", FILE_NAME]).aggregate([]).to_pylist():
        sweep_id, name = row["sweep_id"], row[FILE_NAME].rpartition("/")[2]
        if not is_sweep_id(sweep_id):
            raise ValueError(f"{shown(sweep_id)} is not a sweep_id")
        if not name.startswith(f"{sweep_id}.") or not _RECORD.fullmatch(name.removeprefix(sweep_id)):
            raise ValueError(f"its rows are of sweep {sweep_id}")
    return table.select(list(names))


def _reason(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shown(text.splitlines()[0] if text else type(error).__name__).rstrip(".")
