"""Check that results can be written, and that no earlier sweep is overwritten."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError, RequestError, shown
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.reading.listing import files_of_sweep
from l2sweep.sweep.checks.writable import TRIAL_BYTES, why_not_writable
from l2sweep.sweep.state.manifest import sweep_folder

_SUBFOLDERS = (ROUNDS, POINTS, "sweeps")


def require_writable(results_dir: str) -> None:
    """Check that records and logs can be written and read back, without creating anything that stays.

    Args:
        results_dir: Folder of the results, which may not exist yet.

    Raises:
        RequestError: They cannot be written.
    """
    for folder in (Path(results_dir), *(Path(results_dir) / name for name in _SUBFOLDERS)):
        if reason := why_not_writable(folder, TRIAL_BYTES):
            raise RequestError([f"results_dir={shown(results_dir)}: must be a writable folder ({reason})"])


@contextlib.contextmanager
def writing(results_dir: str, name: str, *, has_measured: bool = False) -> Iterator[None]:
    """Turn an error of writing a file of the results folder into one line.

    Args:
        results_dir: Folder of the results.
        name: Path of the file, relative to the folder.
        has_measured: Whether points were measured already, so that the request was not wrong.

    Raises:
        RequestError: The file cannot be written.
        BenchError: The same, after points were measured.
    """
    try:
        yield
    except OSError as error:
        problem = f"results_dir={shown(results_dir)}: {name} was not written: {error.strerror or error}"
        raise (BenchError(problem) if has_measured else RequestError([problem])) from error


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Create a folder for the block. If the block fails, remove all folders that were created.

    Args:
        folder: The folder.

    Raises:
        FileExistsError: Another process created it just now.
        OSError: It cannot be created.
    """
    created = [above for above in (folder, *folder.parents) if not os.path.lexists(above)]
    try:
        folder.mkdir(parents=True)
        try:
            yield
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except FileExistsError:
        raise
    except BaseException:
        for above in created:
            with contextlib.suppress(OSError):  # it is gone, or something else is in it
                above.rmdir()
        raise


def require_new_sweep(sweep: SweepConfig) -> None:
    """Check that no earlier sweep has the same id, because its records would be replaced.

    Raises:
        RequestError: The results folder contains records or a folder with this id.
    """
    results_dir = Path(sweep.results_dir)
    records = [files_of_sweep(results_dir, data_set, sweep.sweep_id) for data_set in (ROUNDS, POINTS)]
    if os.path.lexists(sweep_folder(sweep)) or any(records):  # also a link that leads nowhere
        raise RequestError(
            [f"sweep_id={sweep.sweep_id}: must be new, but {sweep.results_dir} already contains this sweep"]
        )
