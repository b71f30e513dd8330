"""A file that a report is written to: checked before anything runs, replaced as a whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from l2sweep.errors import BenchError, RequestError, shown
from l2sweep.sweep.checks.writable import TRIAL_BYTES, why_not_writable


def require_report_file(path: str | None, option: str = "report_file=") -> None:
    """Check that a report can be written, without creating anything that stays.

    Args:
        path: The file; None: there is none to write.
        option: What is in front of the path in a message.

    Raises:
        RequestError: The report cannot be written.
    """
    if path is None:
        return
    file = Path(os.path.realpath(path))  # a symbolic link stays; its target is replaced
    is_regular = file.is_file() or not file.exists()
    # /dev/stdout leads to the file behind standard output, which the report would replace.
    names_descriptor = str(Path(path).absolute()).startswith(("/dev/std", "/dev/fd/", "/proc/"))
    reason = "" if is_regular and not names_descriptor else "not a regular file"
    if reason := reason or why_not_writable(file.parent, TRIAL_BYTES):
        raise RequestError([f"{option}{shown(path)}: must be a file that can be written ({reason})"])


def write_report(path: str, text: str, option: str = "report_file=") -> None:
    """Write a report, so that a reader never sees an incomplete file.

    Args:
        path: The file. Missing folders are created, and an existing file is replaced.
        text: The report, without the last line break.
        option: What is in front of the path in a message.

    Raises:
        BenchError: It cannot be written.
    """
    file = Path(os.path.realpath(path))
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as opened:
            opened.write(f"{text}\n")
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise BenchError(f"{option}{shown(path)}: not written: {error.strerror or error}") from error
