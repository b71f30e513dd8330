"""The files and folders of a sweep: who owns them, how large they are, and their removal."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from l2sweep.errors import shown
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.listing import files_of_sweep
from l2sweep.records.storage.layout import folders_of_sweep, is_date
from l2sweep.records.trusted_files import is_owned, is_sweep_id


@dataclass(frozen=True)
class StoredSweep:
    """What is stored of a sweep.

    Attributes:
        sweep_id: The sweep.
        files: Its records. They are in its folders, unless an earlier release wrote them.
        folders: Its folders in ``points/`` and ``rounds/``, and that in ``sweeps/``, which may not exist.
    """

    sweep_id: str
    files: tuple[Path, ...]
    folders: tuple[Path, ...]

    @classmethod
    def of(cls, results_dir: Path, sweep_id: str, files: Iterable[Path]) -> StoredSweep:
        """Return what is stored of a sweep.

        Args:
            results_dir: Folder of the data sets.
            sweep_id: The sweep.
            files: Its records.
        """
        of_records = (folders_of_sweep(results_dir, name, sweep_id) for name in (POINTS, ROUNDS))
        folders = (*itertools.chain.from_iterable(of_records), results_dir / "sweeps" / sweep_id)
        return cls(sweep_id, tuple(files), folders)

    @property
    def num_bytes(self) -> int:
        """Size of its regular files."""
        total = sum(map(_bytes_below, self.folders))
        for path in self.files:
            if path.parent not in self.folders:
                with contextlib.suppress(OSError):  # it was removed since
                    status = path.lstat()
                    total += status.st_size if stat.S_ISREG(status.st_mode) else 0
        return total

    def remove(self) -> None:
        """Remove all of it: points first, because a reader that finds a point must also find its rounds."""
        for path in self.files:
            if path.is_dir() and not path.is_symlink():  # a folder with the name of a record
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
            if is_date(folder.parent.name):
                with contextlib.suppress(OSError):  # it has other sweeps
                    folder.parent.rmdir()


def stored_sweep(results_dir: Path, sweep_id: str) -> StoredSweep:
    """Return what is stored of a sweep.

    Args:
        results_dir: Folder of the data sets.
        sweep_id: The sweep.
    """
    files = [path for name in (POINTS, ROUNDS) for path in files_of_sweep(results_dir, name, sweep_id)]
    return StoredSweep.of(results_dir, sweep_id, files)


def why_never_removed(results_dir: Path, sweep_id: object) -> str:
    """Return why the sweep of a row is never removed; empty if it may be.

    Another user may have written the row, or prepared the folders.

    Args:
        results_dir: Folder of the data sets.
        sweep_id: The value in the row.
    """
    if not is_sweep_id(sweep_id):
        return "it is not the id of a sweep"
    assert isinstance(sweep_id, str)
    folders = {results_dir / name for name in (ROUNDS, POINTS, "sweeps", f"sweeps/{sweep_id}")}
    for name in (ROUNDS, POINTS):
        for folder in folders_of_sweep(results_dir, name, sweep_id):
            folders |= {folder, folder.parent}
    for folder in sorted(folders):
        if not os.path.lexists(folder):
            continue
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return f"{shown(folder)} is not a folder"
        if not is_owned(status):
            return f"{shown(folder)} belongs to user {status.st_uid}"
    for name in (POINTS, ROUNDS):
        for file in files_of_sweep(results_dir, name, sweep_id):
            with contextlib.suppress(FileNotFoundError):
                if not is_owned(file.lstat()):
                    return f"{shown(file)} belongs to user {file.lstat().st_uid}"
    return ""


def _bytes_below(folder: Path | str) -> int:
    """Return the size of the regular files in a folder and below. No link is followed."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # it was removed since
                if entry.is_dir(follow_symlinks=False):
                    total += _bytes_below(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
    return total
