"""Hide secrets from the list of processes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from l2sweep.credentials.scrub import MIN_LENGTH_INSIDE_WORDS


def hide_from_process_list(secrets: Iterable[str]) -> None:
    """Overwrite secrets in the command line of this process, which every user can read (``ps``).

    The kernel shows a part of the process's own memory as ``/proc/self/cmdline``. Its address is in the
    fields ``arg_start`` and ``arg_end`` of proc_pid_stat(5). Without these fields, do nothing.

    Args:
        secrets: Texts to overwrite. Those shorter than four bytes stay.
    """
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # fields 48 and 49; fields[0] is field 3
    except (OSError, IndexError, ValueError):
        return
    if not 0 < start < end:
        return
    arguments = ctypes.string_at(start, end - start)
    for secret in secrets:
        needle = os.fsencode(secret)
        position = arguments.find(needle) if len(needle) >= MIN_LENGTH_INSIDE_WORDS else -1
        while position >= 0:
            ctypes.memset(start + position, ord("*"), len(needle))
            position = arguments.find(needle, position + len(needle))
