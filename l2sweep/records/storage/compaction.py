"""Replace the files of a sweep by one file in each data set, in one step.

The new folder of the sweep is written below ``sweeps/<sweep_id>``, where no reader looks, and verified. Then
it is exchanged with the old one (renameat2(2), ``RENAME_EXCHANGE``). So a reader that lists the files at any
moment finds each row once, and a process that is killed at any moment loses nothing. A folder in ``rounds/``
would not do: DuckDB and Polars also read folders whose name begins with a dot.

A compaction of the same sweep never uses a name again. A reader that listed the old files and opens them
after the exchange finds no file, and never some rows twice.

At last, the folder of a sweep of an earlier release is moved below the date on which the sweep began.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from l2sweep.errors import BenchError, shown
from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS, compacted_name, sync_folder
from l2sweep.records.reading.intact import ERRORS, LaterReleaseError, opened, reason_of, why_unreadable
from l2sweep.records.reading.listing import SweepFiles, list_files
from l2sweep.records.reading.rows import doubled_files, read_files, read_rows
from l2sweep.records.storage.compacted_file import in_file_order, why_not_the_same, write_compacted
from l2sweep.records.storage.exchange import exchange
from l2sweep.records.storage.layout import (
    date_name,
    folders_of_sweep,
    is_date,
    make_folder,
    records_folder,
)
from l2sweep.records.storage.stored_sweep import why_never_removed
from l2sweep.records.store.place import as_local

_COLUMNS = {ROUNDS: schema.ROUNDS, POINTS: schema.POINTS}
_PREFIX = "compacting-"  # of the folders below sweeps/<sweep_id>


class NotCompactedError(BenchError):
    """The records of a sweep stay as they are. The message says why."""


@dataclass(frozen=True)
class Compacted:
    """The result of a compaction.

    Attributes:
        files_before: Number of the files that were replaced; 0: there was nothing to compact.
        damaged: The files that cannot be read and stay, each with the reason.
    """

    files_before: int
    damaged: Mapping[Path, str]


def compact_sweep(results_dir: Path, sweep_id: str) -> Compacted:
    """Replace the files of a sweep by one file in each data set.

    The caller holds the lock of the sweep. Files that cannot be read stay as they are, beside the new file.

    Args:
        results_dir: Folder of the data sets.
        sweep_id: The sweep.

    Raises:
        NotCompactedError: A file or folder is not ours, cannot be written, or the file system cannot exchange
            folders. The records of at least one data set stay as they are.
    """
    if reason := why_never_removed(results_dir, sweep_id):
        raise NotCompactedError(reason)
    remove_unfinished(results_dir, sweep_id)
    replaced = 0
    damaged: dict[Path, str] = {}
    for data_set in (ROUNDS, POINTS):
        try:
            one = _DataSet(results_dir, data_set, sweep_id).compact()
        except ERRORS as error:
            where = shown(records_folder(results_dir, data_set, sweep_id))
            raise NotCompactedError(f"{where}: {reason_of(error)}") from error
        replaced += one.files_before
        damaged |= one.damaged
    return Compacted(replaced, damaged)


def remove_unfinished(results_dir: Path, sweep_id: str) -> None:
    """Remove what a compaction left that was killed. The caller holds the lock of the sweep.

    Args:
        results_dir: Folder of the data sets.
        sweep_id: The sweep.
    """
    for data_set in (ROUNDS, POINTS):
        folder = unfinished(results_dir, data_set, sweep_id)
        if os.path.lexists(folder):
            # It may contain the old files.
            for own in folders_of_sweep(results_dir, data_set, sweep_id):
                sync_folder(own.parent)
            shutil.rmtree(folder, ignore_errors=True)


def unfinished(results_dir: Path, data_set: str, sweep_id: str) -> Path:
    """Return the folder that a compaction writes, and that has the old files after the exchange."""
    return results_dir / "sweeps" / sweep_id / f"{_PREFIX}{data_set}"


def sweeps_with_unfinished(results_dir: Path) -> list[str]:
    """Return the sweeps in which a compaction was killed, or runs now."""
    return sorted({folder.parent.name for folder in (results_dir / "sweeps").glob(f"*/{_PREFIX}*")})


@dataclass(frozen=True)
class _DataSet:
    """One data set of a sweep."""

    results_dir: Path
    data_set: str
    sweep_id: str

    @property
    def folder(self) -> Path:
        return records_folder(self.results_dir, self.data_set, self.sweep_id)

    def compact(self) -> Compacted:
        compacted = self._replace_files()
        if not is_date(self.folder.parent.name) and self._listed().paths:
            self._move_below_date()
        return compacted

    def _replace_files(self) -> Compacted:
        if self._is_done(as_local(self._listed().paths)):
            return Compacted(0, {})
        self._move_into_folder()
        files = self._listed()
        columns = _COLUMNS[self.data_set]
        tables, damaged = self._read(files, columns)
        number = files.compacted[1] if files.compacted else 0
        whole = [path for path in as_local(files.paths) if path not in damaged]
        if self._is_done(whole):
            return Compacted(0, damaged)
        parts = in_file_order(pa.concat_tables(tables).unify_dictionaries())
        if sum(map(len, parts)) != sum(map(len, tables)):
            raise ValueError("the rows of the phases are not all rows")
        staging = unfinished(self.results_dir, self.data_set, self.sweep_id)
        staging.mkdir(parents=True)
        try:
            name = compacted_name(self.sweep_id, number + 1)
            write_compacted(staging / name, parts, columns)
            if reason := why_not_the_same(staging / name, self.sweep_id, parts, columns):
                raise ValueError(f"the new file is wrong: {reason}")
            names = {path.name for path in whole}
            others = [entry for entry in self.folder.iterdir() if entry.name not in names]
            _link(others, staging)
            shutil.copymode(self.folder, staging)
            sync_folder(staging)
            exchange(staging, self.folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        replaced = {entry.name for entry in staging.iterdir()}
        changed = replaced ^ (names | {entry.name for entry in others})
        reason = why_unreadable(self.folder / name, sum(map(len, tables)))
        if changed or reason:
            exchange(staging, self.folder)  # if this fails, both folders stay
            shutil.rmtree(staging, ignore_errors=True)
            raise ValueError(f"its files changed: {shown(min(changed))}" if changed else f"{name}: {reason}")
        sync_folder(self.folder.parent)  # before the old files are removed
        sync_folder(staging.parent)
        shutil.rmtree(staging, ignore_errors=True)
        return Compacted(len(whole), damaged)

    def _is_done(self, paths: Sequence[Path]) -> bool:
        """Whether there is only one file, with the columns of this release."""
        if len(paths) != 1:
            return not paths
        try:
            with opened(paths[0]) as file:
                return bool(pq.read_schema(file).names == _COLUMNS[self.data_set].names)
        except ERRORS:
            return True  # it stays as it is

    def _listed(self) -> SweepFiles:
        try:
            listed = list_files(self.results_dir, self.data_set, [self.sweep_id])
        except (FileNotFoundError, NotADirectoryError):
            return SweepFiles()
        return listed.sweeps.get(self.sweep_id, SweepFiles())

    def _move_into_folder(self) -> None:
        """Move the files of an earlier release into the folder of the sweep, one after another.

        Each is always in one of both places, and the readers of this package list first the one and then the
        other. Another reader that lists the files in this moment may miss one.
        """
        folder = self.folder
        make_folder(folder)
        for path in as_local(self._listed().attempts.values()):
            if path.parent != folder:
                path.rename(folder / path.name)
        sync_folder(folder)
        sync_folder(folder.parent)

    def _move_below_date(self) -> None:
        """Move the folder of the sweep in one step: rename(2).

        The readers of this package list first the old place and then the new one. Another reader that lists
        the folders in this moment may miss the sweep. It never counts it twice, because it finds no file at
        the old place.
        """
        if (began := _began(self.results_dir, self.sweep_id)) is None:
            return
        self._move_into_folder()
        earlier = self.folder
        dated = self.results_dir / self.data_set / date_name(began) / self.sweep_id
        make_folder(dated.parent)
        earlier.rename(dated)
        sync_folder(dated.parent)
        sync_folder(earlier.parent)

    def _read(self, files: SweepFiles, columns: pa.Schema) -> tuple[list[pa.Table], dict[Path, str]]:
        tables: list[pa.Table] = []
        damaged: dict[Path, str] = {}
        doubled = set(doubled_files(files, self.sweep_id))
        paths = as_local(path for path in files.paths if path not in doubled)
        if linked := [path.name for path in paths if path.is_symlink()]:
            raise ValueError(f"{shown(linked[0])} is a symbolic link")
        read = read_files([(path, self.sweep_id) for path in paths], columns, is_all=True)
        for path, found in zip(paths, read, strict=True):
            if isinstance(found, LaterReleaseError):
                raise NotCompactedError(f"{shown(path)}: {found}")
            if isinstance(found, Exception):
                damaged[path] = reason_of(found)
            else:
                tables.append(found)
        return tables, damaged


def _began(results_dir: Path, sweep_id: str) -> datetime | None:
    """Return when the first recorded process of a sweep started; None if that is not recorded."""
    for data_set in (POINTS, ROUNDS):
        column = pa.schema([_COLUMNS[data_set].field("started_at")])
        with contextlib.suppress(*ERRORS):
            rows = read_rows(results_dir, data_set, column, sweep_ids=[sweep_id])
            began: datetime | None = pc.min(rows.table["started_at"]).as_py()
            if began is not None:
                return began
    return None


def _link(entries: Iterable[Path], folder: Path) -> None:
    """Give files another name in a folder, whatever they contain: link(2).

    Raises:
        ValueError: One of them is no regular file.
    """
    for entry in entries:
        if not stat.S_ISREG(entry.lstat().st_mode):
            raise ValueError(f"{shown(entry.name)} is not a regular file")
        os.link(entry, folder / entry.name, follow_symlinks=False)
