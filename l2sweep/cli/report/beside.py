"""What a report reads beside the records: manifests and logs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import BinaryIO

from l2sweep.analysis.report.contents.overview import RunAgain
from l2sweep.credentials import REDACTED, redact_text
from l2sweep.errors import RequestError, printable
from l2sweep.records.store.place import Place, StorePath
from l2sweep.records.trusted_files import UntrustedFileError, is_sweep_id, open_regular

_LOG_BYTES = 16 * 1024
_LOG_LINES = 12
_LINE_LENGTH = 300
_OWN_ID = "sweep_id="


def last_lines(results_dir: Place, log_file: str) -> Sequence[str]:
    """Return the last lines of the log of a process, without credentials.

    The path comes from a record, which others may have written: only a log of a sweep is read.

    Args:
        results_dir: Folder of the results.
        log_file: The column ``log_file``.

    Returns:
        The lines; none if the file cannot be read.
    """
    parts = PurePosixPath(log_file).parts
    if len(parts) != 3 or parts[0] != "sweeps" or not is_sweep_id(parts[1]) or not parts[2].endswith(".log"):
        return ()
    try:
        with _opened(results_dir / log_file) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LOG_BYTES))
            text = file.read(_LOG_BYTES).decode(errors="replace")
    except (OSError, UntrustedFileError):
        return ()
    lines = [line for line in redact_text(text).splitlines() if line.strip()]
    if size > _LOG_BYTES:
        lines = lines[1:]  # the first one is not whole
    return [printable(line.expandtabs())[:_LINE_LENGTH] for line in lines[-_LOG_LINES:]]


def _opened(path: Place) -> AbstractContextManager[BinaryIO]:
    if isinstance(path, StorePath):
        return path.opened()
    return os.fdopen(open_regular(path, os.O_RDONLY), "rb")


def run_again(results_dir: Place, sweep_id: str) -> RunAgain:
    """Return how to run a sweep again, according to its manifest.

    Args:
        results_dir: Folder of the results.
        sweep_id: The sweep.
    """
    from l2sweep.sweep.state.manifest import load_manifest

    try:
        manifest = load_manifest(results_dir, sweep_id)
    except RequestError as error:
        return RunAgain(sweep_id, None, f"The command is not known: {error}.")
    arguments = [text for text in manifest.arguments if not text.startswith(_OWN_ID)]
    multirun = ["-m"] if len(manifest.points) + len(manifest.skipped) > 1 else []
    command = shlex.join(["python", "-m", "l2sweep", *multirun, *arguments])
    note = ""
    if any(REDACTED in argument for argument in arguments):
        note = f"The request contained credentials, which are never saved: {REDACTED} stands for each."
    return RunAgain(sweep_id, command, note)
