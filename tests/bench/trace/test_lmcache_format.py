"""Traces that LMCache recorded, written and read back with LMCache's own classes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.mp_observability.trace.codecs import decode_args, encode_args
from lmcache.v1.mp_observability.trace.format import Header, Record, encode_header, encode_record
from lmcache.v1.mp_observability.trace.reader import TraceReader

from l2sweep.bench.trace.lmcache_format import is_lmcache_trace, read_lmcache

FIXTURE = Path(__file__).parents[2] / "traces" / "conversations.lct"
MANAGER = "lmcache.v1.distributed.storage_manager.StorageManager"


def frame(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def header(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "magic": b"LMCT",
        "format_version": 1,
        "level": "storage",
        "trace_schema_version": 1,
        "t_mono_start": 1.0,
        "t_wall_start": 1.0,
        "sm_config_json": "",
        "sm_config_digest": "",
    }
    return frame(encode_header(Header(**{**fields, **changes})))


def call(name: str, at_s: float = 0.0, **arguments: Any) -> bytes:
    return frame(encode_record(Record(at_s, at_s, f"{MANAGER}.{name}", encode_args(arguments))))


def write(at_s: float, *hashes: bytes) -> bytes:
    return call("finish_write", at_s, keys=[ObjectKey(one, "m", 0) for one in hashes])


def test_the_fixture_has_the_requests_that_lmcaches_own_reader_finds() -> None:
    expected: list[tuple[float, list[ObjectKey], bool]] = []
    with TraceReader(str(FIXTURE)) as reader:
        for record in reader.records():
            arguments = decode_args(record.args)
            if record.qualname.endswith("finish_write"):
                expected.append((record.t_mono, arguments["keys"], False))
            elif record.qualname.endswith("submit_prefetch_task"):
                expected += [(record.t_mono, group.keys, True) for group in arguments["spec"].key_groups]
    trace = read_lmcache(FIXTURE.read_bytes())
    assert len(trace.requests) == len(expected) == 60
    numbers: dict[ObjectKey, int] = {}
    for request, (at_s, keys, looks_up) in zip(trace.requests, expected, strict=True):
        assert request.at_s == at_s
        assert request.keys == tuple(numbers.setdefault(key, len(numbers)) for key in keys)
        assert (request.looks_up, request.stores) == (looks_up, not looks_up)
    assert (trace.num_keys, trace.note) == (len(numbers), "")


def test_each_group_of_a_prefetch_has_a_prefix_of_its_own_and_one_that_skips_l2_none() -> None:
    def prefetch(skip_l2: bool, *groups: list[bytes]) -> bytes:
        rows = [
            {"__t__": "GroupedObjectKeys", "v": {"keys": encode_args({"k": keys_of(one)})["k"]}}
            for one in groups
        ]
        arguments = {"spec": {"__t__": "PrefetchTaskSpec", "v": {"key_groups": rows}}, "skip_l2": skip_l2}
        return frame(encode_record(Record(1.0, 1.0, f"{MANAGER}.submit_prefetch_task", arguments)))

    def keys_of(hashes: list[bytes]) -> list[ObjectKey]:
        return [ObjectKey(one, "m", 0) for one in hashes]

    trace = read_lmcache(header() + prefetch(False, [b"a", b"b"], [b"c"]) + prefetch(True, [b"d"]))
    assert [one.keys for one in trace.requests] == [(0, 1), (2,)]


def test_keys_that_differ_in_any_field_are_different() -> None:
    fields: list[tuple[Any, ...]] = [(b"a", "m", 0), (b"b", "m", 0), (b"a", "n", 0), (b"a", "m", 1)]
    keys = [ObjectKey(*of_key) for of_key in [*fields, (b"a", "m", 0, 1)]]
    assert read_lmcache(header() + call("finish_write", keys=keys)).num_keys == 5


def test_a_last_record_that_is_cut_off_is_left_out_and_said() -> None:
    whole, last = header() + write(0.0, b"a"), write(1.0, b"b")
    trace = read_lmcache(whole + last[:-3])
    assert trace.num_keys == 1
    assert trace.note == f"the last record is cut off, and its {len(last) - 3} bytes are left out"
    assert read_lmcache(whole + last[:2]).note.startswith("the last record is cut off, and its 2 bytes")


def test_calls_that_do_not_reach_l2_are_left_out() -> None:
    with pytest.raises(ValueError, match="no request has a key"):
        read_lmcache(header() + call("reserve_write", keys=[ObjectKey(b"a", "m", 0)]))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (header(magic=b"NOPE"), "no magic bytes"),
        (header(format_version=2), "its format_version is 2, and 1 is known"),
        (header(trace_schema_version=9), "its trace_schema_version is 9, and 1 is known"),
        (header(level="events"), "its level is events; record with --trace-level storage"),
        (header()[:9], "the header cannot be read"),
        (header() + frame(b"\xc1"), "record 1 cannot be read"),
        (header() + write(0.0, b"a") + frame(b"\x01"), "record 2 is no map"),
        (header() + call("finish_write"), "record 1, a call of finish_write, has no keys"),
        (header() + call("finish_write", keys=[1]), "record 1, a call of finish_write, has no keys"),
        (
            header() + call("submit_prefetch_task", spec=[]),
            "record 1, a call of submit_prefetch_task, has no",
        ),
        (header() + call("finish_write", float("nan"), keys=[]), "record 1 has no time"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_lmcache(data)


def test_a_trace_is_told_by_its_first_bytes() -> None:
    assert is_lmcache_trace(header())
    assert not is_lmcache_trace(b'{"timestamp": 1, "hash_ids": []}')
