"""A trace as a user asks for it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from shipped import point

from l2sweep.errors import RequestError

TRACES = Path(__file__).parents[2] / "traces"
JSONL = TRACES / "conversations.jsonl"


def problem(**changes: Any) -> str:
    with pytest.raises(RequestError) as refused:
        point(**changes)
    (sentence,) = refused.value.problems
    return sentence


def replay(path: Path = JSONL, **changes: Any) -> Any:
    return point(workload="trace", trace=str(path), **changes)


def test_the_job_names_the_trace_as_it_was_read() -> None:
    made = replay(trace_speed=2).job("run")
    assert made.trace is not None
    assert made.trace.path == str(JSONL)
    assert made.trace.sha256 == hashlib.sha256(JSONL.read_bytes()).hexdigest()
    assert (made.trace.speed, made.trace.num_keys) == (2.0, 76)
    assert made.key_layout.stored == range(76)
    assert point().job("run").trace is None


def test_its_rounds_are_the_seconds_in_which_requests_start() -> None:
    assert (replay().amount.rounds, replay().amount.warmup_rounds) == (2, 0)
    assert replay(trace_speed=0.5).amount.rounds == 4
    assert replay(trace_speed="max").amount.rounds == 1
    assert replay(trace_speed="max").replay_speed is None


def test_its_bytes_are_those_of_its_keys() -> None:
    references = sum(len(json.loads(line)["hash_ids"]) for line in JSONL.read_text().splitlines())
    assert replay(data_size_kb=64).stored_bytes == 76 * 64 * 1024
    assert replay(data_size_kb=64).moved_bytes == references * 64 * 1024
    rounds = point(num_keys=2, in_flight=3, rounds=4, warmup_rounds=1, data_size_kb=64)
    assert rounds.stored_bytes == rounds.moved_bytes == 2 * 3 * 5 * 64 * 1024


def test_the_identity_has_the_content_and_the_speed_and_not_the_path(tmp_path: Path) -> None:
    copy, other = tmp_path / "copy", tmp_path / "other.jsonl"
    shutil.copy(JSONL, copy)
    other.write_bytes(JSONL.read_bytes() + b'{"timestamp": 1, "hash_ids": [1]}\n')
    assert replay(copy).point_id == replay().point_id
    different = [replay(), replay(other), replay(trace_speed=2), replay(trace_speed="max"), point()]
    assert len({one.point_id for one in different}) == len(different)


def test_the_records_name_the_file_and_its_content() -> None:
    columns = replay(trace_speed="max").trace_columns
    assert columns["trace"].startswith("conversations.jsonl ")
    assert len(columns["trace"]) == 20 + 12
    assert columns["trace_speed"] is None
    assert point().trace_columns == {"trace": None, "trace_speed": None}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trace": "t.jsonl"}, "trace=t.jsonl: needs workload=trace"),
        ({"trace_speed": 2}, "trace_speed=2.0: needs workload=trace"),
        ({"trace_speed": "max"}, "trace_speed=max: needs workload=trace"),
        ({"workload": "trace"}, "trace=null: must be the path of a recorded trace with workload=trace"),
        (
            {"workload": "trace", "trace": "no.lct"},
            "trace=no.lct: cannot be read: No such file or directory",
        ),
        ({"workload": "replay"}, "workload=replay: must be one of rounds, trace"),
        ({"trace_speed": 0}, "trace_speed=0: must be a number above 0, at most 1000000, or max"),
        ({"trace_speed": -1.5}, "trace_speed=-1.5: must be a number above 0, at most 1000000, or max"),
        ({"trace_speed": "fast"}, "trace_speed=fast: must be a number above 0, at most 1000000, or max"),
    ],
)
def test_options_that_cannot_be_used_are_named(changes: dict[str, Any], sentence: str) -> None:
    assert problem(**changes) == sentence


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("rounds", 5, "must be left out"),
        ("rounds", "auto", "must be left out"),
        ("warmup_rounds", 2, "must be left out"),
        ("lookup_max_hit_rate", 0.5, "must be left out"),
        ("only", "load", "must be null"),
        ("profile", "flamegraph", "must be null"),
    ],
)
def test_options_of_rounds_cannot_be_given_with_a_trace(name: str, value: Any, rule: str) -> None:
    sentence = problem(workload="trace", trace=str(JSONL), **{name: value})
    assert sentence.startswith(f"{name}={value}: {rule} with workload=trace")


def test_a_replay_that_takes_too_long_is_refused() -> None:
    sentence = problem(workload="trace", trace=str(JSONL), trace_speed=1e-6)
    assert sentence == f"trace_speed=1e-06: must replay the 1.899 s of trace={JSONL} in less than 1000000 s"


def test_a_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"timestamp": 1, "hash_ids": [1]}\n{"timestamp": 2}\n')
    sentence = problem(workload="trace", trace=str(tmp_path / "t.jsonl"))
    assert sentence == f"trace={tmp_path}/t.jsonl: line 2 has no list hash_ids of integers"
