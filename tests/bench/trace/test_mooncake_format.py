"""Traces in the format of Mooncake."""

from __future__ import annotations

import json

import pytest

from l2sweep.bench.trace.mooncake_format import read_mooncake

LINES = b"""{"timestamp": 27482, "input_length": 1500, "output_length": 52, "hash_ids": [46, 47, 48]}

{"timestamp": 30535, "input_length": 1000, "output_length": 26, "hash_ids": [46, 2]}
"""


def test_a_request_looks_up_its_blocks_and_stores_those_that_are_new() -> None:
    first, second = read_mooncake(LINES).requests
    assert (first.at_s, first.keys, first.looks_up, first.stores) == (0.0, (0, 1, 2), True, True)
    assert second.at_s == pytest.approx(3.053)
    assert second.keys == (0, 3)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "line 2 is no JSON$"),
        (b"[1]", "line 2 is no JSON object"),
        (b"\xff", "line 2 is no JSON$"),
        (b'{"hash_ids": [1]}', "line 2 has no number timestamp, in milliseconds"),
        (b'{"timestamp": "1", "hash_ids": [1]}', "line 2 has no number timestamp"),
        (b'{"timestamp": NaN, "hash_ids": [1]}', "line 2 has no number timestamp"),
        (b'{"timestamp": true, "hash_ids": [1]}', "line 2 has no number timestamp"),
        (b'{"timestamp": 1}', "line 2 has no list hash_ids of integers"),
        (b'{"timestamp": 1, "hash_ids": [1, "2"]}', "line 2 has no list hash_ids of integers"),
    ],
)
def test_a_wrong_line_is_named(line: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_mooncake(LINES.splitlines()[0] + b"\n" + line)


def test_requests_are_sorted_by_their_moments() -> None:
    lines = [json.dumps({"timestamp": at_ms, "hash_ids": [at_ms]}).encode() for at_ms in (30, 10, 20)]
    found = [one.at_s for one in read_mooncake(b"\n".join(lines)).requests]
    assert found == pytest.approx([0.0, 0.01, 0.02])
