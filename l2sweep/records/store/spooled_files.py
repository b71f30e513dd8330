"""The sweeps in a spool folder, and what identifies the content of one of their files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from l2sweep.records.reading.listing import SweepFiles, list_files
from l2sweep.records.store.counted import SWEEPS, CountedObject
from l2sweep.records.store.place import as_local
from l2sweep.records.trusted_files import is_sweep_id


def spooled_sweeps(folder: Path) -> list[str]:
    """Return the ids of the sweeps in a spool folder, oldest id first."""
    try:
        with os.scandir(folder / SWEEPS) as entries:
            found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(filter(is_sweep_id, found))


def identity(path: Path) -> tuple[int, int] | None:
    """Return size and time of a regular file; None if there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def identity_of(counted: CountedObject) -> tuple[int, int]:
    """Return size and time that the file of a counted object had when it was put."""
    return counted.num_bytes, counted.modified_ns


def listed_records(folder: Path, data_set: str, sweep_id: str) -> tuple[SweepFiles, list[Path]]:
    """Return the files of a sweep in a data set of a spool folder, and those that others of them replace.

    Args:
        folder: The spool folder.
        data_set: ``rounds`` or ``points``.
        sweep_id: The sweep.
    """
    try:
        listed = list_files(folder, data_set, [sweep_id])
    except (FileNotFoundError, NotADirectoryError):
        return SweepFiles(), []
    return listed.sweeps.get(sweep_id, SweepFiles()), as_local(listed.replaced)


def key_of(path: Path, folder: Path) -> str:
    """Return the path of a file relative to its spool folder, as it is in a manifest object."""
    return path.relative_to(folder).as_posix()
