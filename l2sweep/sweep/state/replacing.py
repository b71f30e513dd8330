"""Replace a file at once: a reader sees the old content or the new one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from l2sweep.records.files import half_written
from l2sweep.records.trusted_files import create_new


def replace_file(path: Path, content: bytes) -> None:
    """Write a file aside, flush it, and rename it. Nobody can prepare the temporary name.

    Args:
        path: Path of the file. Its folder exists.
        content: The whole content.

    Raises:
        OSError: The file cannot be written. What was at the path stays.
    """
    temporary = half_written(path.parent, f"{path.name}.{secrets.token_hex(4)}")
    with create_new(temporary) as file:
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)  # remove_half_written() removes what nobody holds
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
