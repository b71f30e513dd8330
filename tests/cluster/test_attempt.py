"""An attempt that runs on several hosts, as the launcher follows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from fake_process import round_measured
from line_pair import connected
from sample_rows import point_row, round_row
from shipped import point

import l2sweep
from l2sweep.bench.messages import Message, PhaseStarted
from l2sweep.cluster import attempt as attempt_module
from l2sweep.cluster.attempt import ClusterAttempt, Member, named_apart
from l2sweep.cluster.line.connection import Connection
from l2sweep.cluster.line.messages import (
    Begin,
    Ended,
    Heard,
    LineMessage,
    Lost,
    Measured,
    Opened,
    Stop,
    from_line,
)
from l2sweep.config.sweep import SweepConfig
from l2sweep.records.environment import Machine
from l2sweep.sweep.attempt.host_attempt import SweepContext
from l2sweep.sweep.clients.host_rows import HostRows
from l2sweep.sweep.plan import PlannedPoint

LIMIT_S = 20.0
NUMBER = 5


def machine(host: str) -> Machine:
    return Machine(host, "Linux 6.1", "EPYC", 8, 2**36)


@dataclass
class Attempt:
    """An attempt, and the ends of its hosts.

    Attributes:
        members: The hosts, as the launcher knows them.
        ends: The other ends of their connections.
        folder: Folder of the results.
        shown: The messages that a view shows.
    """

    members: list[Member]
    ends: list[Connection]
    folder: Path
    shown: list[Message] = field(default_factory=list)

    def begin(self, **changes: Any) -> ClusterAttempt:
        config = point(num_keys=2, data_size_kb=64, rounds=2, hosts=len(self.members), **changes)
        context = SweepContext(
            SweepConfig(sweep_id="mine", results_dir=str(self.folder)), machine("a"), None, _no
        )
        planned = PlannedPoint(0, 0, 0, config)
        return ClusterAttempt(NUMBER, context, planned, self.members, self.shown.append)

    def received(self, rank: int) -> LineMessage:
        return from_line(self.ends[rank].receive(LIMIT_S))

    def has_nothing_for(self, rank: int) -> bool:
        return not list(self.ends[rank].arrived())


def _no(*arguments: Any) -> Any:
    raise AssertionError("the launcher starts no process")


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Attempt]:
    with contextlib.ExitStack() as held:
        members, ends = [], []
        for rank, host in enumerate("abc"):
            own, other = held.enter_context(connected())
            members.append(Member(rank, host, machine(host), own))
            ends.append(other)
        yield Attempt(members, ends, tmp_path)


def rows_of(rank: int, status: str = "ok", lost: dict[int, str] | None = None) -> Measured:
    shared = {"client": rank, "clients": 3, "hosts": 3, "host": "abc"[rank], "sweep_id": "mine"}
    rounds = [round_row(phase, **shared) for phase in ("store", "load")]
    return Measured.of(NUMBER, HostRows([point_row(status=status, **shared)], rounds, lost or {}))


DONE = Ended(NUMBER, keys_remain=False, problem="")
PHASE = str(point_row()["phase"])


def open_meeting(three: Attempt, attempt: ClusterAttempt) -> None:
    """Let client 0 listen for the others, and let every host read what it was sent."""
    attempt.take(three.members[0], Opened(NUMBER, PHASE, 4711))
    for rank in range(3):
        assert isinstance(three.received(rank), Begin)
    for rank in (1, 2):
        assert three.received(rank) == Opened(NUMBER, PHASE, 4711)


def test_each_host_gets_its_share_of_one_run(three: Attempt) -> None:
    attempt = three.begin()
    begun = [three.received(rank) for rank in range(3)]
    shares = [one.read()[2] for one in begun if isinstance(one, Begin)]
    assert [share.rank for share in shares] == [0, 1, 2]
    assert {(share.hosts, share.clients_per_host, share.label, share.secret) for share in shares} == {
        (3, 1, shares[0].label, shares[0].secret)
    }
    assert {share.address for share in shares} == {three.members[0].connection.peer_address}
    assert [list(share.clients) for share in shares] == [[0], [1], [2]]
    assert not attempt.has_ended


def test_the_rows_of_all_hosts_are_one_attempt(three: Attempt) -> None:
    attempt = three.begin()
    for rank, member in enumerate(three.members):
        attempt.take(member, rows_of(rank))
        assert not attempt.has_ended
    for member in three.members:
        attempt.take(member, DONE)
    assert attempt.has_ended
    result = attempt.result
    assert (result.exit_code, result.keys_remain) == (0, False)
    assert [row["host"] for row in result.points] == ["a", "b", "c"]
    assert len(l2sweep.load_rounds(three.folder)) == 6


def test_keys_that_remain_on_one_host_remain(three: Attempt) -> None:
    attempt = three.begin()
    for rank, member in enumerate(three.members):
        attempt.take(member, rows_of(rank))
        attempt.take(member, replace(DONE, keys_remain=rank == 1))
    assert attempt.result.keys_remain


def test_where_client_0_listens_is_passed_on_to_the_others(three: Attempt) -> None:
    attempt = three.begin()
    for rank in range(3):
        three.received(rank)
    attempt.take(three.members[0], Opened(NUMBER, "all", 4711))
    assert three.received(1) == three.received(2) == Opened(NUMBER, "all", 4711)
    assert three.has_nothing_for(0)


def test_a_host_that_is_lost_fails_the_point_for_all_and_the_others_are_told(three: Attempt) -> None:
    attempt = three.begin()
    for rank in range(3):
        three.received(rank)
    for message in (PhaseStarted("store"), round_measured("store", 1)):
        attempt.take(three.members[1], Heard.of(NUMBER, 1, message))
    attempt.take(three.members[0], rows_of(0))
    attempt.lose(three.members[1], "it did not answer")
    assert three.received(2) == Lost(NUMBER)
    assert three.has_nothing_for(0)  # it has sent its rows
    cut = HostRows(
        [point_row(client=2, clients=3, hosts=3, host="c", status="crashed")], [], {}, frozenset({2})
    )
    attempt.take(three.members[2], Measured.of(NUMBER, cut))
    for rank in (0, 2):
        attempt.take(three.members[rank], DONE)
    assert attempt.has_ended
    result = attempt.result
    named = "client 1 on b: b was lost: it did not answer during store"
    assert {(row["status"], row["detail"]) for row in result.points} == {("crashed", named)}
    assert result.exit_code == 1
    # The rounds that it had reported are kept, and count for nobody: client 2 did not report them.
    of_lost = [row for row in result.rounds if row["client"] == 1]
    assert [(row["phase"], row["round"], row["host"]) for row in of_lost] == [("store", 1, "b")]
    assert {row["status"] for row in result.rounds} == {"error"}


def test_a_host_that_is_lost_behind_its_rows_has_measured(three: Attempt) -> None:
    attempt = three.begin()
    open_meeting(three, attempt)
    for rank, member in enumerate(three.members):
        attempt.take(member, rows_of(rank))
    attempt.lose(three.members[1], "the connection was closed")
    for rank in (0, 2):
        attempt.take(three.members[rank], DONE)
        assert three.has_nothing_for(rank)
    assert attempt.result.exit_code == 0


def test_hosts_do_not_wait_for_a_first_client_that_ended_before_it_listened(three: Attempt) -> None:
    attempt = three.begin()
    for rank in range(3):
        three.received(rank)
    attempt.take(three.members[0], rows_of(0, status="failed"))
    assert three.received(1) == three.received(2) == Lost(NUMBER)


def test_all_hosts_begin_before_they_are_told_that_one_is_lost(three: Attempt) -> None:
    """A worker only knows of an attempt that has begun there: else it would wait for the lost host."""
    three.members[0].connection.close()
    attempt = three.begin()
    attempt.lose(three.members[0], three.members[0].connection.problem)
    for rank in (1, 2):
        assert isinstance(three.received(rank), Begin)
        assert three.received(rank) == Lost(NUMBER)


def test_the_others_are_told_only_once(three: Attempt) -> None:
    attempt = three.begin()
    attempt.lose(three.members[1], "it did not answer")
    attempt.lose(three.members[1], "it did not answer")
    attempt.lose(three.members[2], "it did not answer")
    assert isinstance(three.received(0), Begin)
    assert three.received(0) == Lost(NUMBER)
    assert three.has_nothing_for(0)


def test_a_host_whose_client_was_lost_is_told_to_the_others(three: Attempt) -> None:
    attempt = three.begin()
    for rank in range(3):
        three.received(rank)
    attempt.take(three.members[2], rows_of(2, "crashed", {2: "crashed: killed by SIGKILL during load"}))
    assert three.received(0) == three.received(1) == Lost(NUMBER)


def test_a_host_that_could_not_run_the_attempt_says_why(three: Attempt) -> None:
    attempt = three.begin()
    for rank in (0, 1):
        attempt.take(three.members[rank], rows_of(rank))
        attempt.take(three.members[rank], DONE)
    attempt.take(three.members[2], Ended(NUMBER, False, "results_dir=results: a point was not recorded"))
    result = attempt.result
    detail = "client 2 on c: results_dir=results: a point was not recorded before the first phase"
    assert {row["detail"] for row in result.points} == {detail}


def test_a_cold_point_names_the_phase_in_which_a_host_was_lost(three: Attempt) -> None:
    from l2sweep.config.cache import CacheConfig

    attempt = three.begin()
    cold = replace(attempt.planned.config, cache=CacheConfig(mode="cold", drop_before=["load"]))
    attempt.planned = replace(attempt.planned, config=cold)
    attempt.take(three.members[1], Heard.of(NUMBER, 1, PhaseStarted("load")))
    attempt.lose(three.members[1], "it did not answer")
    (row,) = attempt._rows[1].points
    assert (row["phase"], row["client"], row["host"]) == ("load", 1, "b")


def test_only_hosts_without_rows_are_asked_to_stop(three: Attempt) -> None:
    attempt = three.begin()
    open_meeting(three, attempt)
    attempt.take(three.members[0], rows_of(0))
    attempt.stop()
    assert three.received(1) == three.received(2) == Stop(NUMBER)
    assert three.has_nothing_for(0)


def test_hosts_that_take_longer_than_their_processes_may_live_are_late(
    three: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = three.begin()
    assert attempt.late == []
    monkeypatch.setattr(attempt_module, "_LATE_S", -1e9)
    attempt = three.begin()
    attempt.take(three.members[0], rows_of(0))
    attempt.take(three.members[0], DONE)
    assert attempt.late == three.members[1:]


def test_a_round_is_shown_when_the_clients_of_all_hosts_have_ended_it(three: Attempt) -> None:
    attempt = three.begin()
    for rank in (1, 2, 0):
        assert three.shown == []
        attempt.take(three.members[rank], Heard.of(NUMBER, rank, round_measured("store", 1)))
    (shown,) = three.shown
    assert vars(shown)["keys_ok"] == 6


def test_hosts_of_the_same_name_are_told_apart() -> None:
    with connected() as (end, _):
        members = [Member(rank, "", machine(host), end) for rank, host in enumerate("aba")]
        assert [host for _, host in named_apart(members)] == ["a-r0", "b", "a-r2"]
