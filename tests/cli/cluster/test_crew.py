"""The options of the hosts of a sweep, and what they exclude."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shipped import point

from l2sweep.cli.cluster.crew import with_hosts
from l2sweep.config.sweep import Cluster, SweepConfig
from l2sweep.errors import RequestError
from l2sweep.sweep.prepare import SweepRequest

PLACE = "127.0.0.1:29519"


class Session:
    """A session that hosts must not join."""

    crew = None

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name}: nothing is started")


def sized(*hosts: int, engine: str = "local", place: str | None = None, **options: Any) -> SweepRequest:
    """Return a request that is only planned, with points of so many hosts."""
    size, sweep = options.pop("size", None), SweepConfig(sweep_id="mine", dry_run=True, **options)
    grid = [replace(point(), hosts=number) for number in hosts]
    sweep = replace(sweep, cluster=Cluster(rendezvous=place, size=size))
    request = SweepRequest(sweep, grid, [], {}, Path(), frozenset())
    return with_hosts(request, Session(), engine)  # type: ignore[arg-type]


def test_a_sweep_on_this_host_has_no_size() -> None:
    assert sized(1, 1).sweep.cluster.size is None


@pytest.mark.parametrize(("hosts", "size", "found"), [((1, 3, 2), None, 3), ((1, 2), 4, 4), ((1,), 2, 2)])
def test_as_many_hosts_take_part_as_the_points_need(
    hosts: tuple[int, ...], size: int | None, found: int
) -> None:
    assert sized(*hosts, place=PLACE, size=size).sweep.cluster.size == found
    assert sized(*hosts, engine="ray", size=size).sweep.cluster.size == found


def test_a_fleet_says_how_many_hosts_it_has() -> None:
    assert sized(1, place=PLACE, fleet=True, size=3).sweep.cluster.size == 3


NEEDS = "needs cluster.rendezvous=HOST:PORT, or hydra/launcher=ray (docs/hosts.md)"


@pytest.mark.parametrize(
    ("hosts", "options", "problem"),
    [
        (2, {}, f"hosts=2: {NEEDS}"),
        (1, {"fleet": True}, f"fleet=true: {NEEDS}"),
        (1, {"size": 2}, f"cluster.size=2: {NEEDS}"),
        (3, {"place": PLACE, "size": 2}, "hosts=3: must be at most cluster.size=2"),
        (1, {"place": PLACE, "fleet": True}, "fleet=true: needs cluster.size, the number of hosts"),
        (
            2,
            {"place": PLACE, "fleet": True, "size": 2},
            "hosts=2: must be 1 with fleet=true, in which each host measures every point",
        ),
        (
            2,
            {"place": PLACE, "service": "auto"},
            "service=auto: must be none with cluster.rendezvous: it serves one host",
        ),
        (
            2,
            {"engine": "ray", "service": "redis"},
            "service=redis: must be none with hydra/launcher=ray: it serves one host",
        ),
        (1, {"ray_address": "auto"}, "ray_address=auto: needs hydra/launcher=ray"),
        (
            2,
            {"place": "127.0.0.1"},
            "cluster.rendezvous=127.0.0.1: must be HOST:PORT, such as node1:29500, 10.0.0.1:29500 or "
            "[fd00::1]:29500",
        ),
        (
            2,
            {"place": "node1:0"},
            "cluster.rendezvous=node1:0: must be HOST:PORT with a port from 1 to 65535",
        ),
        (
            2,
            {"place": "[::x]:1"},
            "cluster.rendezvous=[::x]:1: must be a host name or an address, with IPv6 in brackets",
        ),
    ],
)
def test_each_contradiction_is_one_line(hosts: int, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(RequestError) as refused:
        sized(hosts, **options)
    assert refused.value.problems == (problem,)


def test_all_contradictions_are_told_together() -> None:
    with pytest.raises(RequestError) as refused:
        sized(3, place="node1", size=2, fleet=True)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "cluster.rendezvous=node1",
        "hosts=3",
        "hosts=3",
    ]
