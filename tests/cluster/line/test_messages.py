"""What the launcher and a worker tell each other survives the way over a line."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from fake_process import round_measured
from sample_rows import point_row, round_row
from shipped import point

from l2sweep.bench.messages import Finished, Message, Note, PhaseStarted
from l2sweep.cluster.line.messages import (
    Begin,
    Check,
    Checked,
    Ended,
    Heard,
    Leave,
    LineMessage,
    Lost,
    Measured,
    Opened,
    Stop,
    from_line,
    to_line,
)
from l2sweep.config.cache import CacheConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.clients.host_rows import HostRows
from l2sweep.sweep.clients.share import Share
from l2sweep.sweep.plan import PlannedPoint


def sent(message: LineMessage) -> Any:
    """Return what arrives."""
    return from_line(json.loads(json.dumps(to_line(message))))


@pytest.mark.parametrize(
    "message",
    [
        Checked(3, ["no disk"]),
        Opened(3, "load", 4711),
        Lost(3),
        Stop(3),
        Leave(),
        Ended(3, True, "no disk"),
        Ended(4, False, ""),
    ],
)
def test_a_message_arrives_as_it_was_sent(message: LineMessage) -> None:
    assert sent(message) == message


RESP = {"type": "resp", "host": "10.0.0.1", "port": 6379, "password": "${secret:REDIS}"}
COLD = CacheConfig(mode="cold", method="fadvise", drop_before=["load"], paths=["/mnt"])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clients": 2, "hosts": 3},
        {"adapter_spec": RESP},
        {"cache": COLD},
        {"only": "store", "namespace": "mine", "keep_data": True},
    ],
)
def test_a_point_arrives_with_its_id_and_all_its_options(changes: dict[str, Any]) -> None:
    config = replace(point(), **changes)
    planned = PlannedPoint(7, 3, 1, config, attempt=2, rank=1)
    sweep = SweepConfig(sweep_id="mine", constraints=["num_keys < 9"], zip=[["num_keys", "in_flight"]])
    share = Share(1, 3, 2, "abcdef", "secret", "10.0.0.1")
    begin = sent(Begin.of(5, planned, sweep, share, "host-1", None))
    assert begin.number == 5
    assert begin.host == "host-1"
    assert begin.read() == (planned, sweep, share)
    arrived = begin.read()[0]
    assert arrived.config.point_id == config.point_id
    assert isinstance(arrived.config.cache, CacheConfig)
    assert arrived.config.traits == config.traits
    check = sent(Check.of(6, [planned], sweep, [config, point(), config], ("/plugins",)))
    assert check.read() == ([planned], sweep)
    assert check.specs == list(  # once each
        {json.dumps(one.adapter_spec): one.adapter_spec for one in (config, point())}.values()
    )
    assert (check.number, check.pythons, check.plugin_folders) == (6, [None], ["/plugins"])


def test_a_point_of_another_release_is_not_read() -> None:
    planned = PlannedPoint(0, 0, 0, point())
    begin = Begin.of(1, planned, SweepConfig(sweep_id="mine"), Share.all_of(1, 1)[0], "a", None)
    begin.planned["config"]["num_keys"] = "many"
    with pytest.raises(ValueError):
        sent(begin).read()


@pytest.mark.parametrize(
    "message", [PhaseStarted("load", 0.5), Note("a\nb"), Finished(0, "", 5), round_measured("load", 2)]
)
def test_a_message_of_a_process_is_passed_on(message: Message) -> None:
    heard = sent(Heard.of(2, 11, message))
    assert (heard.number, heard.client, heard.read()) == (2, 11, message)


def test_rows_arrive_with_their_times_and_what_is_no_number() -> None:
    at = datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC)
    rows = HostRows(
        [point_row(started_at=at, adapter_create_s=math.nan)],
        [round_row(started_at=at + timedelta(microseconds=1)), round_row(started_at=None, duration_s=None)],
        {2: "crashed: killed"},
        frozenset({1, 3}),
    )
    arrived = sent(Measured.of(9, rows))
    assert arrived.number == 9
    read = arrived.read()
    assert read.rounds == rows.rounds
    assert math.isnan(read.points[0]["adapter_create_s"])
    assert {**read.points[0], "adapter_create_s": None} == {**rows.points[0], "adapter_create_s": None}
    assert read.points[0]["started_at"].tzinfo is not None
    assert (read.lost, read.for_another) == (rows.lost, rows.for_another)


def test_a_time_keeps_its_moment_in_another_zone() -> None:
    at = datetime(2026, 11, 24, 1, tzinfo=timezone(timedelta(hours=5)))
    read = sent(Measured.of(1, HostRows([point_row(started_at=at)], [], {}))).read()
    assert read.points[0]["started_at"] == at


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kind": "Unknown"},
        {"kind": "Stop"},
        {"kind": "Stop", "number": 1, "more": 2},
        {"kind": ["Stop"]},
        {"kind": None, "number": 1},
    ],
)
def test_what_is_no_message_is_told_from_one(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a message between hosts"):
        from_line(values)
