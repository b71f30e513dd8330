"""Where the records of a sweep are: ``rounds/date=2026-11-30/SWEEP_ID``, or the places of earlier releases.

The date is the UTC date on which the first recorded process of the sweep started. DuckDB, Polars and
pyarrow.dataset read it from the name of the folder (Hive partitioning), and open no other nights.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.store.place import Place, PlaceType, StorePath
from l2sweep.records.trusted_files import is_owned

ANY_DATE = "date=*"
"""A pattern of the folders of the dates."""
_DATE = re.compile(r"date=[0-9]{4}-[0-9]{2}-[0-9]{2}")  # no sweep id has an equals sign
_OF_ID = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T[0-9]{6}Z")
_ROOT_UID = 0
_TRIES = 10


def records_folder(results_dir: Path, data_set: str, sweep_id: str, began: datetime | None = None) -> Path:
    """Return the folder of a sweep in a data set: the one that exists, or the one to create.

    A sweep keeps its folder, whatever the day on which it is resumed. Its folders in both data sets have the
    same date.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        sweep_id: The sweep.
        began: When its first process started, for a sweep without records. None: unknown; the returned path
            then contains :data:`ANY_DATE` if the sweep has no records.
    """
    data_sets = (data_set, POINTS if data_set == ROUNDS else ROUNDS)
    for name in data_sets:
        for folder in folders_of_sweep(results_dir, name, sweep_id):
            return results_dir / data_set / folder.relative_to(results_dir / name)
    beside = f"{glob.escape(sweep_id)}.*.parquet"
    if any(True for name in data_sets for _ in (results_dir / name).glob(beside)):
        return results_dir / data_set / sweep_id  # a compaction moves both below the date
    return results_dir / data_set / (ANY_DATE if began is None else date_name(began)) / sweep_id


def folders_of_sweep(results_dir: Path, data_set: str, sweep_id: str) -> list[Path]:
    """Return the folders of a sweep that exist: that below its date, and that of an earlier release.

    A sweep has one of them, except in a copy of a results folder that is updated without removing files.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        sweep_id: The sweep.
    """
    found = dated_folders(results_dir / data_set, sweep_id)
    earlier = results_dir / data_set / sweep_id
    return [*found, earlier] if os.path.lexists(earlier) else found


def dated_folders(folder: PlaceType, sweep_id: str) -> list[PlaceType]:
    """Return the folders of a sweep below a date; none or one, except in a copy.

    Args:
        folder: Folder of a data set.
        sweep_id: The sweep. If it begins with a time, as the ids that l2sweep makes, its date is tried first.
    """
    if (parts := _OF_ID.match(sweep_id)) is not None:
        likely = folder / f"date={'-'.join(parts.groups())}" / sweep_id
        if _exists(likely):
            return [likely]
    paths = [date / sweep_id for date in date_folders(folder)]
    return [path for path in paths if _exists(path)]


def _exists(path: Place) -> bool:
    return path.exists() if isinstance(path, StorePath) else os.path.lexists(path)


def date_folders(folder: PlaceType) -> list[PlaceType]:
    """Return the folders of the dates in a data set, latest first; none if the data set does not exist.

    Args:
        folder: Folder of the data set.
    """
    names: list[str] = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        names = [name for name in _names(folder) if is_date(name)]
    return [folder / name for name in sorted(names, reverse=True)]


def _names(folder: Place) -> list[str]:
    return folder.folders() if isinstance(folder, StorePath) else [path.name for path in folder.iterdir()]


def is_date(name: str) -> bool:
    """Whether the name of a folder is that of a date.

    Args:
        name: Such as ``date=2026-11-30``.
    """
    return _DATE.fullmatch(name) is not None


def date_name(began: datetime) -> str:
    """Return the name of the folder of a date.

    Args:
        began: A time in any zone. One without a zone is UTC.
    """
    utc = began.astimezone(UTC) if began.tzinfo is not None else began
    return f"date={utc:%Y-%m-%d}"


def record_path(results_dir: Path, data_set: str, stem: str, began: datetime | None = None) -> Path:
    """Return the path of a file of an attempt: it is in the folder of its sweep.

    Args:
        results_dir: Folder of the data sets.
        data_set: ``rounds`` or ``points``.
        stem: What :func:`file_stem` returns.
        began: As in :func:`records_folder`.
    """
    return records_folder(results_dir, data_set, stem.rsplit(".", 2)[0], began) / f"{stem}.parquet"


def make_folder(folder: Path) -> list[Path]:
    """Create the folder of a sweep, with the folder of its date and of the data set.

    Whoever may write into the data set may also write into the folder of a date.

    Args:
        folder: What :func:`records_folder` returns.

    Returns:
        The folders that have a new entry, which are to be flushed.

    Raises:
        OSError: It cannot be created, or this process is root and another user prepared it.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError):  # another process removed the last sweep of the date
            return _make_folder(folder)
    return _make_folder(folder)


def _make_folder(folder: Path) -> list[Path]:
    changed: list[Path] = []
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            with contextlib.suppress(FileExistsError):  # another process created it just now
                path.mkdir()
                changed.append(path.parent)
                if is_date(path.name):
                    shutil.copymode(path.parent, path)
        if (path == folder or is_date(path.name)) and (reason := why_foreign(path)):
            raise PermissionError(errno.EPERM, f"root does not write into a folder that {reason}", str(path))
    return changed


def why_foreign(folder: Path) -> str:
    """Return why root does not write into a folder: another user prepared it. Empty for other users.

    The owner of a folder can replace what is in it, and a link leads elsewhere. For a user who is not root
    that is harmless: such a user cannot write to the files of others anyway.

    Args:
        folder: A folder, which may not exist.
    """
    if os.geteuid() != _ROOT_UID:
        return ""
    try:
        status = folder.lstat()
    except OSError:
        return ""
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link"
    return "" if is_owned(status) else f"belongs to user {status.st_uid}"
