"""Check that a file can be created in a folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from l2sweep.errors import shown

TRIAL_BYTES = 128 << 10
"""What a folder of results must have space for: all files of a sweep with one small point have 50 KiB."""


def why_not_writable(folder: Path, trial_bytes: int = 0) -> str:
    """Return why a file in a folder could not be created, written and read back; empty if it could.

    The file has no name where the file system supports that (``O_TMPFILE``, open(2)), and never stays.

    Args:
        folder: The folder. If it does not exist, the nearest folder above it is tried.
        trial_bytes: Bytes to write; 0: the file is only created.
    """
    # lexists: a dangling link does not exist, but no folder can be created in its place
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    written = os.urandom(trial_bytes)
    try:
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            if not written:
                return ""
            if (count := file.write(written)) != len(written):  # the disk became full in between
                file.write(written[count:])
            os.fsync(file.fileno())  # NFS and quotas may report an error only now
            file.seek(0)
            if file.read(len(written) + 1) != written:
                return f"{shown(folder)}: what was written could not be read back"
    except OSError as error:
        return f"{shown(folder)}: {error.strerror or error}"
    return ""
