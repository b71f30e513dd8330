"""The hosts of a sweep: who measures what, and what happens when one is lost.

The workers are real ones in threads of this process; their benchmark processes are not.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_starter import ACCEPTED, CREATED, Answer, FakeStarter, refuse, succeed
from shipped import point

import l2sweep
from l2sweep import interrupts
from l2sweep.bench.job import Job
from l2sweep.bench.messages import Message, PhaseStarted, RendezvousOpened
from l2sweep.cluster import attempt as attempt_module
from l2sweep.cluster import hosts as hosts_module
from l2sweep.cluster.hosts import Hosts
from l2sweep.cluster.line.connection import Connection
from l2sweep.cluster.line.handshake import MOST_HANDSHAKE_BYTES, Introduction, introduce
from l2sweep.cluster.line.messages import Begin, Check, Checked, Ended, Leave, Lost, from_line, to_line
from l2sweep.cluster.membership import Membership
from l2sweep.cluster.reception import Reception
from l2sweep.cluster.worker import WorkerLimits, serve
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError, RequestError
from l2sweep.records.environment import Machine
from l2sweep.sweep.attempt.host_attempt import SweepContext
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint

TOKEN = "the token of this test"
HOST = "127.0.0.1"
LIMIT_S = 20.0


def answer_of_clients(job: Job) -> Answer:
    """Succeed; client 0 of several says first that it listens."""
    answer = succeed(job)
    if job.rendezvous is None or job.rendezvous.rank:
        return answer
    return Answer([RendezvousOpened(4711), *answer.messages])


class Points:
    """The points that may still start."""

    def __init__(self, points: Sequence[PlannedPoint]) -> None:
        self._points = iter(points)
        self.has_ended = False

    def take(self) -> PlannedPoint | None:
        return None if self.has_ended else next(self._points, None)


class Shown:
    """What a view shows."""

    def __init__(self) -> None:
        self.started_points: list[int] = []
        self.messages: list[Message] = []

    def started(self, planned: PlannedPoint) -> None:
        self.started_points.append(planned.index)

    def message(self, message: Message) -> None:
        self.messages.append(message)


@dataclass
class Cluster:
    """A launcher, and the workers that a test starts."""

    folder: Path
    pool: ThreadPoolExecutor
    size: int = 2
    wait_s: float = LIMIT_S
    notes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    shown: Shown = field(default_factory=Shown)
    problem: str | None = None
    workers: list[Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reception = Reception(HOST, 0, TOKEN, self.size)
        self.port = int(self.reception.place.rpartition(":")[2])
        self.hosts = Hosts(
            *(self.reception, self.size, self.wait_s, tuple, lambda: self.problem, self.notes.append)
        )

    def start_worker(self, rank: int, answer: Callable[[Job], Any] = answer_of_clients) -> FakeStarter:
        starter = FakeStarter(answer)
        member = Membership(HOST, self.port, rank, self.size)
        self.workers.append(
            self.pool.submit(serve, member, TOKEN, starter, WorkerLimits(LIMIT_S), self.said.append)  # type: ignore[arg-type]
        )
        return starter

    def join(self, rank: int, own: Introduction | None = None) -> Connection:
        """Join as a worker that the test plays."""
        connection = Connection(socket.create_connection((HOST, self.port)), MOST_HANDSHAKE_BYTES)
        introduce(connection, TOKEN, own or Introduction.here(rank, self.size))
        return connection

    def run(
        self, points: Sequence[PlannedPoint], todo: Points | None = None, **options: Any
    ) -> Iterator[tuple[PlannedPoint, PointResult]]:
        sweep = SweepConfig(sweep_id="mine", results_dir=str(self.folder / "results"), lock="off", **options)
        context = SweepContext(sweep, Machine.here(), None, _no)
        return self.hosts.run(context, todo or Points(points), self.shown)  # type: ignore[arg-type]

    def check(self, points: Sequence[PlannedPoint], **options: Any) -> None:
        sweep = SweepConfig(sweep_id="mine", results_dir=str(self.folder / "results"), lock="off", **options)
        self.hosts.check(Plan(tuple(points), ()), points, sweep)

    def points(self, count: int, **changes: Any) -> list[PlannedPoint]:
        spec = {"type": "fs", "base_path": str(self.folder / "kv")}
        config = point(adapter=spec, num_keys=2, data_size_kb=64, rounds=2, **changes)
        return [PlannedPoint(index, index, 0, config) for index in range(count)]

    def end(self) -> None:
        self.hosts.__exit__()
        for worker in self.workers:
            worker.result(LIMIT_S)
        self.reception.__exit__()


def _no(*arguments: Any) -> Any:
    raise AssertionError("the launcher starts no process")


Make = Callable[..., Cluster]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a cluster, and end it behind the test."""
    made: list[Cluster] = []
    with ThreadPoolExecutor(8) as pool:

        def cluster(**changes: Any) -> Cluster:
            made.append(Cluster(tmp_path, pool, **changes))
            return made[-1]

        yield cluster
        for one in made:
            one.end()


def host_names(size: int) -> list[str]:
    """Return the names of hosts that all have the name of this one."""
    return [f"{Machine.here().host}-r{rank}" for rank in range(size)]


def test_all_hosts_measure_one_point_together(make: Make) -> None:
    cluster = make()
    starters = [cluster.start_worker(rank) for rank in range(2)]
    ((planned, result),) = cluster.run(cluster.points(1, hosts=2, clients=2))
    assert planned.index == 0
    assert result.exit_code == 0
    assert [(row["client"], row["host"]) for row in result.points] == list(
        zip(range(4), [name for name in host_names(2) for _ in range(2)], strict=True)
    )
    rounds = l2sweep.load_rounds(cluster.folder / "results")
    assert len(rounds) == 4 * 3 * 2
    assert rounds["namespace"].nunique() == 4
    assert set(rounds["hosts"]) == {2}
    places = [job.rendezvous for starter in starters for job in starter.jobs]
    assert [(place.rank, place.size, place.host) for place in places if place] == [
        (client, 4, HOST) for client in range(4)
    ]
    assert [place.port for place in places if place] == [0, 4711, 4711, 4711]
    assert cluster.shown.started_points == [0]
    assert PhaseStarted("load") in cluster.shown.messages
    assert not list(cluster.folder.rglob("running-*"))


def test_independent_points_are_spread_over_the_hosts(make: Make) -> None:
    cluster = make()
    both_run = threading.Barrier(2)

    def answer(job: Job) -> Answer:
        both_run.wait(LIMIT_S)  # the first host does not run all of them
        return succeed(job)

    for rank in range(2):
        cluster.start_worker(rank, answer)
    ended = list(cluster.run(cluster.points(6)))
    assert sorted(planned.index for planned, _ in ended) == list(range(6))
    assert {result.exit_code for _, result in ended} == {0}
    hosts = [row["host"] for _, result in ended for row in result.points]
    assert sorted(hosts) == sorted(host_names(2) * 3)
    assert cluster.shown.messages == []  # those of two points would be mixed


def refuse_specs(job: Job) -> Answer:
    return refuse(job) if job.only_checks_spec else answer_of_clients(job)


REFUSED = "adapter.base_path: must not be empty"


def test_all_hosts_check_the_points_before_one_of_them_runs(make: Make) -> None:
    cluster = make(size=3)
    starters = [cluster.start_worker(rank, [succeed, refuse_specs, refuse_specs][rank]) for rank in range(3)]
    with pytest.raises(RequestError) as refused:
        cluster.check(cluster.points(4))
    names = host_names(3)
    assert refused.value.problems == (f"{names[1]}, {names[2]}: {REFUSED}",)
    assert cluster.notes == []
    assert [job.only_checks_spec for starter in starters for job in starter.jobs] == [True] * 3


def test_a_host_checks_again_when_other_points_are_about_to_run(make: Make) -> None:
    cluster = make(size=1)
    starter = cluster.start_worker(0)
    for number in (1, 2):
        points = cluster.points(2)
        cluster.check(points)
        assert sum(job.only_checks_spec for job in starter.jobs) == number
        assert [result.exit_code for _, result in cluster.run(points)] == [0, 0]


def test_each_host_of_a_fleet_checks_each_point_once(make: Make) -> None:
    cluster = make()
    workers = [cluster.join(rank) for rank in range(2)]
    points = in_fleet(cluster, 2)
    repeated = [*points, *(replace(one, index=one.index + 4, repeat=1) for one in points)]
    checking = cluster.pool.submit(cluster.check, repeated)
    for worker in workers:
        asked = from_line(worker.receive(LIMIT_S))
        assert isinstance(asked, Check)
        assert [one.cell for one in asked.read()[0]] == [0, 1]
        assert not checking.done()
        worker.send(to_line(Checked(asked.number - 1, ["of an earlier check"])))
        worker.send(to_line(Checked(asked.number, [])))
    checking.result(LIMIT_S)
    for worker in workers:
        worker.close()


def test_a_worker_that_joins_later_runs_nothing_if_its_check_fails(make: Make) -> None:
    cluster = make()
    points = cluster.points(4)
    go_on = threading.Event()

    def answer(job: Job) -> Answer:
        if job.phases:
            assert go_on.wait(LIMIT_S)
        return succeed(job)

    cluster.start_worker(0, answer)
    lost = cluster.join(1)
    checking = cluster.pool.submit(cluster.check, points)
    asked = from_line(lost.receive(LIMIT_S))
    assert isinstance(asked, Check)
    lost.send(to_line(Checked(asked.number, [])))
    checking.result(LIMIT_S)
    running = cluster.run(points)
    first = cluster.pool.submit(next, running)
    assert isinstance(from_line(lost.receive(LIMIT_S)), Begin)
    lost.close()
    _, result = first.result(LIMIT_S)
    assert result.point["status"] == "crashed"
    second = cluster.start_worker(1, refuse_specs)
    rest = cluster.pool.submit(list, running)
    name = host_names(2)[1]
    while not cluster.notes:
        assert not rest.done()
        time.sleep(0.01)
    assert cluster.notes == [f"{name}: {REFUSED}"]
    go_on.set()
    assert len(rest.result(LIMIT_S)) == 3
    assert second.measured == []
    with pytest.raises(BenchError, match=f"^{name}: {REFUSED}$"):
        list(cluster.run(cluster.points(1, hosts=2)))


def in_fleet(cluster: Cluster, count: int) -> list[PlannedPoint]:
    pairs = itertools.product(cluster.points(count), range(cluster.size))
    return [replace(one, index=number, rank=rank) for number, (one, rank) in enumerate(pairs)]


def test_in_a_fleet_each_host_measures_every_point_at_the_same_time(make: Make) -> None:
    cluster = make(size=3)
    all_run = threading.Barrier(3)

    def answer(job: Job) -> Answer:
        all_run.wait(LIMIT_S)
        return succeed(job)

    starters = [cluster.start_worker(rank, answer) for rank in range(3)]
    ended = list(cluster.run(in_fleet(cluster, 2), fleet=True))
    assert [len(starter.measured) for starter in starters] == [2, 2, 2]
    names = host_names(3)
    assert all(result.point["host"] == names[planned.rank or 0] for planned, result in ended)


def test_a_serial_fleet_never_measures_on_two_hosts(make: Make) -> None:
    cluster = make(size=3)
    running = threading.BoundedSemaphore(1)

    def answer(job: Job) -> Answer:
        assert running.acquire(blocking=False)
        time.sleep(0.05)
        running.release()
        return succeed(job)

    starters = [cluster.start_worker(rank, answer) for rank in range(3)]
    ended = list(cluster.run(in_fleet(cluster, 2), fleet=True, fleet_order="serial"))
    assert {result.exit_code for _, result in ended} == {0}
    assert [planned.index for planned, _ in ended] == list(range(6))
    assert [len(starter.measured) for starter in starters] == [2, 2, 2]


def test_a_host_that_is_lost_fails_its_point_and_the_next_ones_wait_for_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make()

    def answer(job: Job) -> Answer:
        if job.namespace.split("-")[-4] == "0" and job.phases:  # point 0: it waits for the lost client
            begun = [RendezvousOpened(1), ACCEPTED, CREATED, PhaseStarted("store")]
            return Answer(begun, hangs=True, status=(-15, 1))
        return answer_of_clients(job)

    cluster.start_worker(0, answer)
    lost = cluster.join(1)
    running = cluster.run(cluster.points(2, hosts=2))
    first = cluster.pool.submit(next, running)
    assert isinstance(from_line(lost.receive(LIMIT_S)), Begin)
    monkeypatch.setattr(hosts_module, "_SOON_S", 0.0)
    lost.close()
    planned, result = first.result(LIMIT_S)
    named = f"client 1 on {host_names(2)[1]}: {host_names(2)[1]} was lost: the connection was closed"
    assert {(row["status"], row["detail"]) for row in result.points} == {
        ("crashed", f"{named} before the first phase")
    }
    second = cluster.pool.submit(next, running)
    while not cluster.notes:
        assert not second.done()
        time.sleep(0.01)
    assert cluster.notes == [
        f"waiting at {cluster.reception.place} for rank 1 of 2 hosts, for {LIMIT_S:g} s at most"
    ]
    cluster.start_worker(1)
    planned, result = second.result(LIMIT_S)
    assert (planned.index, result.exit_code) == (1, 0)
    assert list(running) == []


def test_a_host_that_joins_again_has_lost_its_attempt(make: Make) -> None:
    cluster = make(size=1)
    own = Introduction.here(0, 1)
    before = cluster.join(0, own)
    running = cluster.run(cluster.points(1))
    only = cluster.pool.submit(next, running)
    assert isinstance(from_line(before.receive(LIMIT_S)), Begin)
    after = cluster.join(0, own)
    _, result = only.result(LIMIT_S)
    assert result.point["detail"].endswith("was lost: it joined again before the first phase")
    before.close()
    after.close()


def test_a_line_that_was_lost_while_something_was_sent_is_noticed(make: Make) -> None:
    cluster = make(size=1)
    worker = cluster.join(0)
    running = cluster.run(cluster.points(1))
    only = cluster.pool.submit(next, running)
    assert isinstance(from_line(worker.receive(LIMIT_S)), Begin)
    cluster.hosts._members[0].connection.problem = "Broken pipe"  # as when it was sent Stop
    _, result = only.result(LIMIT_S)
    assert "was lost: Broken pipe" in result.point["detail"]
    worker.close()


def test_points_of_one_host_go_on_where_another_one_is_lost(make: Make) -> None:
    cluster = make()
    cluster.start_worker(0)
    lost = cluster.join(1)
    running = cluster.run(cluster.points(4))
    ended = [cluster.pool.submit(next, running).result(LIMIT_S)]
    lost.close()
    ended += list(running)
    failed = [planned.index for planned, result in ended if result.exit_code]
    assert len(failed) <= 1
    assert sorted(planned.index for planned, _ in ended) == list(range(4))


def test_rows_that_do_not_arrive_in_time_lose_the_host(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_module, "_LATE_S", -1e9)
    monkeypatch.setattr(hosts_module, "_LOOK_S", 0.05)
    cluster = make(size=1)
    worker = cluster.join(0)
    running = cluster.run(cluster.points(1))
    _, result = cluster.pool.submit(next, running).result(LIMIT_S)
    assert "its rows did not arrive in time" in result.point["detail"]
    assert cluster.hosts._members[0].connection.is_lost  # it must join again
    worker.close()


def test_hosts_that_do_not_join_in_time_end_the_sweep(make: Make) -> None:
    cluster = make(size=3, wait_s=0.3)
    cluster.start_worker(1)
    with pytest.raises(BenchError) as raised:
        list(cluster.run(cluster.points(1)))
    place = cluster.reception.place
    assert str(raised.value) in {
        f"{joined} of 3 hosts joined at {place} within cluster.wait_s=0.3: missing is rank {ranks}"
        for joined, ranks in ((0, "0, 1, 2"), (1, "0, 2"))
    }


def test_workers_that_cannot_join_any_more_are_not_waited_for(make: Make) -> None:
    cluster = make()
    cluster.problem = "the worker of this host was killed by SIGKILL"
    with pytest.raises(BenchError, match="was killed by SIGKILL"):
        list(cluster.run(cluster.points(1)))


def test_a_stranger_is_told_of_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make(wait_s=0.5)
    for _ in range(3):
        connection = Connection(socket.create_connection((HOST, cluster.port)), MOST_HANDSHAKE_BYTES)
        with pytest.raises(BenchError):
            introduce(connection, "another token, as long", Introduction.here(1, 2))
        connection.close()
    with pytest.raises(BenchError, match="hosts joined"):
        list(cluster.run(cluster.points(1)))
    assert cluster.notes == [f"a worker at {HOST} was refused: it does not have the token of the launcher"]


def test_points_that_were_taken_do_not_start_once_no_point_may(make: Make) -> None:
    cluster = make(size=3)
    starters = [cluster.start_worker(rank) for rank in range(3)]
    points = cluster.points(3, hosts=3)
    todo = Points(points)
    running = cluster.run(points, todo)
    assert next(running)[0].index == 0
    todo.has_ended = True
    assert list(running) == []
    assert [len(starter.measured) for starter in starters] == [1, 1, 1]


def lose_first_point(cluster: Cluster, todo: Points) -> Iterator[tuple[PlannedPoint, PointResult]]:
    """Lose the only host during the first of two points: the second waits for it."""
    worker = cluster.join(0)
    running = cluster.run([], todo)
    first = cluster.pool.submit(next, running)
    assert isinstance(from_line(worker.receive(LIMIT_S)), Begin)
    worker.close()
    assert first.result(LIMIT_S)[1].point["status"] == "crashed"
    cluster.notes.clear()
    return running


def test_a_host_is_waited_for_only_while_a_point_may_start(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts_module, "_SOON_S", 0.0)
    monkeypatch.setattr(hosts_module, "_LOOK_S", 0.05)
    cluster = make(size=1)
    todo = Points(cluster.points(2))
    rest = cluster.pool.submit(list, lose_first_point(cluster, todo))
    while not cluster.notes:
        assert not rest.done()
        time.sleep(0.01)
    todo.has_ended = True  # for example, the time budget is used up
    assert rest.result(2 * LIMIT_S) == []


def test_a_stop_while_a_host_is_waited_for_ends_the_sweep_as_on_one_host(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "_STATE", interrupts._State())
    cluster = make(size=1)
    points = iter(cluster.points(2))
    todo = SimpleNamespace(has_ended=False, take=lambda: next(points, None))
    running = lose_first_point(cluster, todo)  # type: ignore[arg-type]

    def listen(limit_s: float) -> None:
        todo.has_ended = True  # as it is once the user has asked to stop
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster.hosts, "_listen", listen)
    try:
        rest = list(running)
    except KeyboardInterrupt:  # it would end pytest
        pytest.fail("the results of the sweep are not shown")
    assert rest == []


def test_what_is_no_message_loses_the_host(make: Make) -> None:
    cluster = make(size=1)
    worker = cluster.join(0)
    running = cluster.run(cluster.points(1))
    only = cluster.pool.submit(next, running)
    worker.receive(LIMIT_S)
    worker.send({"kind": "Unknown"})
    _, result = only.result(LIMIT_S)
    assert "not a message between hosts" in result.point["detail"]
    worker.close()


def test_messages_of_an_earlier_attempt_are_of_no_interest(make: Make) -> None:
    cluster = make(size=1)
    worker = cluster.join(0)
    running = cluster.run(cluster.points(1))
    only = cluster.pool.submit(next, running)
    begin = from_line(worker.receive(LIMIT_S))
    assert isinstance(begin, Begin)
    worker.send(to_line(Ended(begin.number - 1, False, "late")))
    worker.send(to_line(Ended(begin.number, False, "no disk")))
    _, result = only.result(LIMIT_S)
    assert result.point["detail"].startswith("no disk")
    worker.close()


def test_workers_are_told_that_the_sweep_has_ended_also_those_that_have_just_joined(make: Make) -> None:
    cluster = make()
    worker = cluster.join(1)
    while not cluster.reception._joined.qsize():
        time.sleep(0.01)
    points = cluster.points(1)
    cluster.hosts._checks.begin(Plan(tuple(points), ()), points, SweepConfig(sweep_id="mine"), [])
    cluster.hosts.__exit__()
    assert from_line(worker.receive(LIMIT_S)) == Leave()  # and is not asked to check points first
    worker.close()


def test_a_worker_that_waits_for_a_rank_ends_with_the_sweep(make: Make) -> None:
    cluster = make()
    for rank in (0, 1, 1):
        cluster.start_worker(rank)
    cluster.check(cluster.points(1))
    assert [result.exit_code for _, result in cluster.run(cluster.points(1))] == [0]
    while not cluster.reception._tried_at:
        time.sleep(0.01)
    cluster.hosts.__exit__()
    for worker in cluster.workers:
        worker.result(LIMIT_S)
    joined = [f"joined {cluster.reception.place} as rank {rank} of 2" for rank in range(2)]
    assert sorted(cluster.said) == [*joined, "the sweep has ended"]


def test_a_worker_that_hears_that_a_host_is_lost_ends_its_processes(make: Make) -> None:
    """The worker is that of this release, the launcher is played by the test."""
    cluster = make()
    waits = Answer([ACCEPTED, CREATED, PhaseStarted("store")], hangs=True, status=(-15, 1))
    cluster.start_worker(0, lambda job: waits if job.phases else succeed(job))
    launcher = cluster.reception
    give_up_at = time.monotonic() + LIMIT_S
    while not (found := launcher.joined()):
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    connection = found[0].connection
    from l2sweep.sweep.clients.share import Share

    planned = cluster.points(1, hosts=2)[0]
    sweep = SweepConfig(sweep_id="mine", results_dir=str(cluster.folder / "results"), lock="off")
    connection.send(to_line(Begin.of(7, planned, sweep, Share.all_of(2, 1)[0], "a", None)))
    connection.send(to_line(Lost(6)))  # of another attempt
    kinds = []
    while "Ended" not in kinds:
        values = connection.receive(LIMIT_S)
        kinds.append(values["kind"])
        if values["kind"] == "Heard" and kinds.count("Heard") == 3:
            connection.send(to_line(Lost(7)))
        if values["kind"] == "Measured":
            assert values["for_another"] == [0]
            assert values["points"][0]["host"] == "a"
    assert kinds[-2:] == ["Measured", "Ended"]
    assert not list(cluster.folder.rglob("running-*"))
    connection.send(to_line(Leave()))
    cluster.workers[0].result(LIMIT_S)
    connection.close()
