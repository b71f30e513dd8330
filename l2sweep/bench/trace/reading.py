"""Read a trace of either format."""

from __future__ import annotations

import hashlib
from pathlib import Path

from l2sweep.bench.trace.lmcache_format import is_lmcache_trace, read_lmcache
from l2sweep.bench.trace.mooncake_format import read_mooncake
from l2sweep.bench.trace.requests import Trace


def read_trace(path: Path) -> tuple[Trace, str]:
    """Read a trace. Its content tells its format.

    Args:
        path: The file.

    Returns:
        The trace, and the SHA-256 of the file in hexadecimal digits.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no trace. The text says why, and names the line or record.
    """
    if not path.is_file():  # a FIFO would be waited for
        raise FileNotFoundError(2, "it is no file", str(path))
    data = path.read_bytes()
    if is_lmcache_trace(data):
        trace = read_lmcache(data)
    elif data.lstrip()[:1] == b"{":
        trace = read_mooncake(data)
    else:
        raise ValueError("it is neither a trace of LMCache nor one of Mooncake (JSON lines)")
    return trace, hashlib.sha256(data).hexdigest()
