"""Read a trace that LMCache recorded with ``--trace-level storage``.

The file is a sequence of frames, each a length in 4 bytes (big-endian) and a MessagePack map: a header, then
records of calls of ``StorageManager`` (``lmcache/v1/mp_observability/trace/format.py`` and ``codecs.py`` of
LMCache 0.5.6). Two calls lead to L2 operations:

- ``submit_prefetch_task``: the keys are looked up, and the found prefix is loaded. Each group of keys has a
  prefix of its own. A call with ``skip_l2`` does not reach L2.
- ``finish_write``: the keys are stored.

The others (``reserve_write``, ``read_prefetched_results``, ``finish_read_prefetched``) concern L1 alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from l2sweep.bench.trace.msgpack import decode
from l2sweep.bench.trace.requests import RecordedRequest, Trace

_LENGTH_BYTES = 4
_MAGIC = b"LMCT"
_FORMAT_VERSION = 1
_TRACE_SCHEMA_VERSION = 1
_LEVEL = "storage"
_MANAGER = "lmcache.v1.distributed.storage_manager.StorageManager"
_PREFETCH = f"{_MANAGER}.submit_prefetch_task"
_WRITE = f"{_MANAGER}.finish_write"


def is_lmcache_trace(data: bytes) -> bool:
    """Return whether a file begins as a trace of LMCache does.

    Args:
        data: Its content.
    """
    return _MAGIC in data[: _LENGTH_BYTES + 64]


def read_lmcache(data: bytes) -> Trace:
    """Return the L2 operations of a trace of LMCache.

    A last frame that is cut off is left out, as by LMCache's own reader: a server that was killed leaves one.

    Args:
        data: Content of the file.

    Raises:
        ValueError: It is no such trace, or of another level or version. The text names the record.
    """
    frames = _frames(data)
    header = _decoded(next(frames, b""), "the header")
    _check_header(header)
    recorded: list[RecordedRequest] = []
    read_bytes = 0
    for number, frame in enumerate(frames, start=1):
        read_bytes += _LENGTH_BYTES + len(frame)
        recorded += _requests(_decoded(frame, f"record {number}"), f"record {number}")
    left = len(data) - read_bytes - _LENGTH_BYTES - int.from_bytes(data[:_LENGTH_BYTES], "big")
    return Trace.of(
        recorded, f"the last record is cut off, and its {left} bytes are left out" if left else ""
    )


def _frames(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH_BYTES <= len(data):
        start = at + _LENGTH_BYTES
        end = start + int.from_bytes(data[at:start], "big")
        if end > len(data):
            return
        yield data[start:end]
        at = end


def _decoded(frame: bytes, place: str) -> dict[Any, Any]:
    try:
        value = decode(frame)
    except ValueError as error:
        raise ValueError(f"{place} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{place} is no map")
    return value


def _check_header(header: dict[Any, Any]) -> None:
    if header.get("magic") != _MAGIC:
        raise ValueError("its header has no magic bytes of LMCache")
    for name, known in (("format_version", _FORMAT_VERSION), ("trace_schema_version", _TRACE_SCHEMA_VERSION)):
        if header.get(name) != known:
            raise ValueError(f"its {name} is {header.get(name)}, and {known} is known")
    if header.get("level") != _LEVEL:
        raise ValueError(f"its level is {header.get('level')}; record with --trace-level {_LEVEL}")


def _requests(record: dict[Any, Any], place: str) -> Iterator[RecordedRequest]:
    qualname = record.get("qualname")
    if qualname not in (_PREFETCH, _WRITE):
        return
    at_s, arguments = record.get("t_mono"), record.get("args")
    if isinstance(at_s, bool) or not isinstance(at_s, (int, float)) or not math.isfinite(at_s):
        raise ValueError(f"{place} has no time t_mono")
    try:
        assert isinstance(arguments, dict)
        if qualname == _WRITE:
            yield RecordedRequest(float(at_s), _keys(arguments["keys"]), looks_up=False, stores=True)
        elif not arguments.get("skip_l2"):
            for group in arguments["spec"]["v"]["key_groups"]:
                keys = _keys(group["v"]["keys"])
                yield RecordedRequest(float(at_s), keys, looks_up=True, stores=False)
    except (AssertionError, KeyError, TypeError) as error:
        raise ValueError(f"{place}, a call of {qualname.rpartition('.')[2]}, has no keys") from error


def _keys(values: Any) -> list[tuple[Any, ...]]:
    """Return what identifies each key: ``_enc_object_key`` of LMCache encodes it."""
    fields = ("chunk_hash", "model_name", "kv_rank")
    return [
        (*(value["v"][name] for name in fields), value["v"].get("object_group_id", 0)) for value in values
    ]
