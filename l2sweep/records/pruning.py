"""Remove old sweeps, except those that are still needed."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from l2sweep.analysis.attempts import attempts
from l2sweep.errors import shown
from l2sweep.records.files import POINTS, ROUNDS, files_of_sweep
from l2sweep.records.reader import load_points
from l2sweep.records.trusted_files import is_owned, is_sweep_id

KEEP = "keep"
"""A sweep with a file of this name in ``sweeps/<sweep_id>`` is never removed: for a baseline."""
_ALWAYS_KEPT = 2  # sweeps: the last one, and one to compare it with


@dataclass(frozen=True)
class _Stored:
    """The files of a sweep."""

    sweep_id: str
    files: tuple[Path, ...]
    folder: Path

    @property
    def num_bytes(self) -> int:
        total = 0
        for path in (*self.files, *self.folder.rglob("*")):
            with contextlib.suppress(OSError):  # it was removed since
                status = path.lstat()
                total += status.st_size if stat.S_ISREG(status.st_mode) else 0
        return total


def prune(results_dir: Path, sweep_name: str, keep_nights: int, keep_gb: float | None) -> list[str]:
    """Remove the oldest sweeps with a name: first by number, then by size.

    Never removed are the last two sweeps, sweeps with a file ``keep`` in their folder, and a sweep with the
    newest successful measurement of a point, because later measurements are compared with it.

    Args:
        results_dir: Folder of the data sets.
        sweep_name: Only sweeps with this name are removed.
        keep_nights: Number of sweeps to keep. Older ones are removed.
        keep_gb: Total size of the sweeps to keep, in 10^9 bytes. If they are larger, the oldest ones are
            removed, even if there are fewer than ``keep_nights``. None: no limit.

    Returns:
        The ids of the removed sweeps, oldest first.
    """
    points = load_points(results_dir)
    names_of = points.groupby("sweep_id")["sweep_name"].unique()
    points = points[points["sweep_id"].isin(names_of.index[names_of.map(set) == {sweep_name}])]
    ids = [one for one in points["sweep_id"].unique() if not why_never_removed(results_dir, one)]
    points = points[points["sweep_id"].isin(ids)]
    began = points.groupby("sweep_id")["started_at"].min().sort_values()
    ended = attempts(points)
    newest_ok = ended[ended["status"] == "ok"].sort_values("started_at").groupby("point_id").tail(1)
    needed = {*newest_ok["sweep_id"], *began.index[-_ALWAYS_KEPT:]}
    stored = [_stored(results_dir, sweep_id) for sweep_id in began.index]
    total = sum(sweep.num_bytes for sweep in stored)
    removed: list[str] = []
    for position, sweep in enumerate(stored):
        too_old = len(stored) - position > keep_nights
        too_large = keep_gb is not None and total > keep_gb * 1e9
        if not (too_old or too_large) or sweep.sweep_id in needed or (sweep.folder / KEEP).exists():
            continue
        total -= sweep.num_bytes
        _remove(sweep)
        removed.append(sweep.sweep_id)
    return removed


def why_never_removed(results_dir: Path, sweep_id: object) -> str:
    """Return why the sweep of a row is never removed; empty if it may be.

    Another user may have written the row, or prepared the folders.

    Args:
        results_dir: Folder of the data sets.
        sweep_id: The value in the row.
    """
    if not is_sweep_id(sweep_id):
        return "it is not the id of a sweep"
    for name in (ROUNDS, POINTS, "sweeps", f"sweeps/{sweep_id}"):
        folder = results_dir / name
        if not os.path.lexists(folder):
            continue
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            return f"{shown(folder)} is not a folder"
        if not is_owned(status):
            return f"{shown(folder)} belongs to user {status.st_uid}"
    for name in (POINTS, ROUNDS):
        for file in files_of_sweep(results_dir, name, str(sweep_id)):
            with contextlib.suppress(FileNotFoundError):
                if not is_owned(file.lstat()):
                    return f"{shown(file)} belongs to user {file.lstat().st_uid}"
    return ""


def _stored(results_dir: Path, sweep_id: str) -> _Stored:
    # Points first, also when they are removed: a reader that finds a point must also find its rounds.
    files = [path for name in (POINTS, ROUNDS) for path in files_of_sweep(results_dir, name, sweep_id)]
    return _Stored(sweep_id, tuple(files), results_dir / "sweeps" / sweep_id)


def _remove(sweep: _Stored) -> None:
    for path in sweep.files:
        if path.is_dir() and not path.is_symlink():  # a folder with the name of a record
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    shutil.rmtree(sweep.folder, ignore_errors=True)
