"""Check that results can be written, and that no earlier sweep is overwritten."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError, shown
from l2sweep.records.files import POINTS, ROUNDS, files_of_sweep
from l2sweep.sweep.state.manifest import sweep_folder

_SUBFOLDERS = (ROUNDS, POINTS, "sweeps")


def require_writable(results_dir: str) -> None:
    """Check that records and logs can be written, without creating anything that stays.

    Args:
        results_dir: Folder of the results, which may not exist yet.

    Raises:
        RequestError: They cannot be written.
    """
    for folder in (Path(results_dir), *(Path(results_dir) / name for name in _SUBFOLDERS)):
        # lexists: a dangling link does not exist, but no folder can be created in its place
        while not os.path.lexists(folder) and folder != folder.parent:
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            reason = f"{folder}: {error.strerror or error}"
            problem = f"results_dir={shown(results_dir)}: must be a writable folder ({reason})"
            raise RequestError([problem]) from error


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
