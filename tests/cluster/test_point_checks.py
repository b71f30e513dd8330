"""The checks of points: who is asked what, and which answer counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shipped import point

from l2sweep.cluster.attempt import Member
from l2sweep.cluster.line.messages import Check, Checked, from_line
from l2sweep.cluster.point_checks import PointChecks, problems_of
from l2sweep.config.sweep import SweepConfig
from l2sweep.records.environment import Machine
from l2sweep.sweep.plan import Plan, PlannedPoint


class Line:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Mapping[str, Any]] = []

    def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)


def member(rank: int) -> Member:
    return Member(rank, f"node{rank}", Machine.here(), Line())  # type: ignore[arg-type]


def asked(host: Member) -> list[Check]:
    """Return what a host was asked."""
    found = [from_line(message) for message in host.connection.sent]  # type: ignore[attr-defined]
    assert all(isinstance(one, Check) for one in found)
    return found  # type: ignore[return-value]


def begin(checks: PointChecks, *members: Member) -> None:
    points = (PlannedPoint(0, 0, 0, point()), PlannedPoint(1, 0, 1, point()))
    checks.begin(Plan(points, ()), points[1:], SweepConfig(sweep_id="mine"), members)


def test_only_the_answer_to_the_last_question_counts() -> None:
    checks, host = PointChecks(lambda: ("/plugins",)), member(0)
    assert host.problems == ()
    begin(checks, host)
    begin(checks, host)
    first, second = asked(host)
    assert (len(second.points), second.plugin_folders) == (1, ["/plugins"])
    checks.take(host, Checked(first.number, ["too late"]))
    assert host.problems is None
    checks.take(host, Checked(second.number, ["no disk"]))
    assert host.problems == ("no disk",)


def test_before_the_first_points_and_behind_the_last_ones_a_host_is_asked_nothing() -> None:
    checks, host = PointChecks(tuple), member(0)
    checks.ask(host)
    begin(checks)
    checks.end()
    checks.ask(host)
    assert asked(host) == []
    assert host.problems == ()


def test_hosts_with_the_same_problem_share_a_sentence() -> None:
    hosts = [member(rank) for rank in (2, 1, 0)]
    for host, problems in zip(hosts, (("no disk",), ("no server", "no disk"), None), strict=True):
        host.problems = problems
    assert problems_of(hosts) == ["node1: no server", "node1, node2: no disk"]
