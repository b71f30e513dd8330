"""MessagePack, as msgspec writes it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from l2sweep.bench.trace.msgpack import decode

VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        127,
        128,
        255,
        256,
        2**16,
        2**32,
        2**63,
        -1,
        -32,
        -33,
        -129,
        -(2**15) - 1,
        -(2**40),
    ),
    *(0.0, -1.5, 1e300),
    *("", "a", "ü" * 20, "b" * 300, "c" * 70_000),
    *(b"", b"\x00\xff", b"d" * 300, b"e" * 70_000),
    *([], [1, "two", [3.0]], list(range(20)), list(range(70_000))),
    *({}, {"a": {"b": [None]}}, {str(number): number for number in range(20)}),
    {str(number): number for number in range(70_000)},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_each_type_and_length_is_read(value: Any) -> None:
    assert decode(msgspec.msgpack.encode(value)) == value


def test_a_float_of_4_bytes_is_read() -> None:
    assert decode(b"\xca\x3f\x80\x00\x00") == 1.0


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not MessagePack"),
        (b"\x92\x01", "not MessagePack"),
        (b"\xa5ab", "not MessagePack"),
        (b"\xcd\x01", "not MessagePack"),
        (b"\xa1\xff", "not MessagePack"),
        (b"\x81\x90\x01", "not MessagePack"),
        (b"\x01\x02", "1 bytes follow"),
        (b"\xc7\x00\x01", "type 0xc7"),
        (b"\x91" * 100 + b"\x01", "nested more than 32 deep"),
        (b"\xdd\xff\xff\xff\xff", "not MessagePack"),
    ],
)
def test_anything_else_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        decode(data)
