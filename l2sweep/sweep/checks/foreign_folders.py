"""Refuse to write as root into folders that another user prepared."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from l2sweep.errors import RequestError, shown
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.storage.layout import date_name, why_foreign


def require_own_folders(results_dir: str) -> None:
    """Check, as root, that nobody else prepared the folders of the records and logs.

    Args:
        results_dir: Folder of the results, which may not exist yet.

    Raises:
        RequestError: A folder in it is a symbolic link, or belongs to another user.
    """
    today = date_name(datetime.now(UTC))
    for name in ("sweeps", ROUNDS, POINTS, f"{ROUNDS}/{today}", f"{POINTS}/{today}"):
        folder = Path(results_dir) / name
        if reason := why_foreign(folder):
            problem = f"must be a folder that only root has prepared ({shown(folder)} {reason})"
            raise RequestError([f"results_dir={shown(results_dir)}: {problem}"])
