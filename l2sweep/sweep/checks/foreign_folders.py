"""Refuse to write as root into folders that another user prepared."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from l2sweep.errors import RequestError, shown
from l2sweep.records.files import POINTS, ROUNDS
from l2sweep.records.trusted_files import is_owned

_ROOT_UID = 0


def require_own_folders(results_dir: str) -> None:
    """Check, as root, that nobody else prepared the folders of the records and logs.

    The owner of a folder can replace what is in it, and a link leads elsewhere. For another user that is
    harmless: such a user cannot write to the files of others anyway.

    Args:
        results_dir: Folder of the results, which may not exist yet.

    Raises:
        RequestError: A folder in it is a symbolic link, or belongs to another user.
    """
    if os.geteuid() != _ROOT_UID:
        return
    for name in ("sweeps", ROUNDS, POINTS):
        folder = Path(results_dir) / name
        try:
            status = folder.lstat()
        except OSError:  # it does not exist yet, or require_writable() says why it cannot be used
            continue
        reason = ""
        if stat.S_ISLNK(status.st_mode):
            reason = "is a symbolic link"
        elif not is_owned(status):
            reason = f"belongs to user {status.st_uid}"
        if reason:
            problem = f"must be a folder that only root has prepared ({shown(folder)} {reason})"
            raise RequestError([f"results_dir={shown(results_dir)}: {problem}"])
