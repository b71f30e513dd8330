"""Read a trace in the format of Mooncake: a JSON object for each request, one on a line.

``timestamp`` is in milliseconds. ``hash_ids`` are the blocks of the prompt, of 512 tokens each; equal ids are
equal prefixes (Qin et al., "Mooncake", FAST 2025; https://github.com/kvcache-ai/Mooncake, in the folder
``FAST25-release/traces``). A request looks up its blocks, loads the found prefix, and stores the blocks that
are new. ``input_length`` and ``output_length``, in tokens, are not needed: each block is a key, also the last
one, which may be shorter.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from l2sweep.bench.trace.requests import RecordedRequest, Trace


def read_mooncake(data: bytes) -> Trace:
    """Return the L2 operations of a trace of Mooncake.

    Args:
        data: Content of the file.

    Raises:
        ValueError: A line is no request. The text names it.
    """
    return Trace.of(_requests(data))


def _requests(data: bytes) -> Iterator[RecordedRequest]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            request = _json(line, number)
            yield RecordedRequest(
                _timestamp_ms(request, number) / 1000, _hash_ids(request, number), looks_up=True, stores=True
            )


def _json(line: bytes, number: int) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is no JSON") from error
    if not isinstance(request, dict):
        raise ValueError(f"line {number} is no JSON object")
    return request


def _timestamp_ms(request: dict[str, Any], number: int) -> float:
    value = request.get("timestamp")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"line {number} has no number timestamp, in milliseconds")
    return float(value)


def _hash_ids(request: dict[str, Any], number: int) -> list[int]:
    value = request.get("hash_ids")
    if not isinstance(value, list) or any(isinstance(one, bool) or not isinstance(one, int) for one in value):
        raise ValueError(f"line {number} has no list hash_ids of integers")
    return value
