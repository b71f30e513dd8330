"""The messages of a benchmark process, encoded and decoded."""

from __future__ import annotations

from typing import get_args

import pytest

from l2sweep.bench.messages import (
    Accepted,
    AdapterCreated,
    AdapterDescribed,
    CleaningUp,
    Finished,
    Message,
    Note,
    PhaseEnded,
    PhaseStarted,
    Refused,
    RoundMeasured,
    decode,
    encode,
)

ROUND = RoundMeasured(
    phase="load",
    round=3,
    is_warmup=False,
    status="partial",
    detail='7 of 8 keys loaded; "quoted"\nand a second line, ünd more\x00',
    started_at_s=1795478400.123456,
    duration_s=0.1 + 0.2,
    keys_requested=8,
    keys_expected=8,
    keys_ok=7,
    bytes_requested=2**40,
    bytes_ok=2**40 - 1,
    submit_latency_s=[0.1, 1e-9],
    verified_keys=8,
    mismatched_keys=1,
    cpu_user_s=0.5,
    cpu_sys_s=0.25,
    device_read_bytes=4096,
    device_write_bytes=0,
    flush_s=0.1,
)
NOT_RUN = RoundMeasured(
    **{
        **vars(ROUND),
        "status": "error",
        "started_at_s": None,
        "duration_s": None,
        "submit_latency_s": [],
        "device_read_bytes": None,
        "device_write_bytes": None,
        "flush_s": None,
    }
)
MESSAGES: list[Message] = [
    Accepted("0.5.6", "2.13.0", "3.11.7"),
    Refused("adapter.type=x: must be one of fs, mock"),
    AdapterDescribed("nixl_store", "No module named 'nixl'", "nixl", []),
    AdapterCreated("FSL2Adapter", 0.125),
    PhaseStarted("store"),
    PhaseStarted("load", 0.015625),
    PhaseEnded("load", 1.0),
    ROUND,
    NOT_RUN,
    CleaningUp("store: 1 of 3 rounds failed"),
    Note("two\nlines"),
    Finished(1, "load: 1 of 3 rounds failed", 2**33),
    Finished(0, "", 2**33, keys_removed=True, keys_stay=False),
]


def test_this_file_has_a_message_of_every_kind() -> None:
    assert {type(message) for message in MESSAGES} == set(get_args(Message))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_decoded_message_equals_the_encoded_one(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    decoded = decode(line.rstrip(b"\n"))
    assert decoded == message
    assert type(decoded) is type(message)


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "Surprise", "text": "x"}',
        b'{"kind": "Message"}',
        b'{"kind": ["Note"], "text": "x"}',
        b'{"text": "x"}',
        b'{"kind": "Note"}',
        b'{"kind": "Note", "text": "x", "colour": "red"}',
        b"[]",
        b'"Note"',
        b"null",
        b"",
        b"{",
        b"half a line of something else",
        b"\xff\xfe",
    ],
)
def test_a_line_that_is_not_a_message_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError):
        decode(line)
