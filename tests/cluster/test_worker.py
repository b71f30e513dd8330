"""A worker: how it joins a launcher that the test plays, what it does for it, and how it ends."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_starter import ACCEPTED, CREATED, Answer, FakeStarter, crash, succeed
from shipped import point

from l2sweep import interrupts
from l2sweep.bench.job import Job
from l2sweep.bench.messages import PhaseStarted
from l2sweep.cluster.line.connection import Connection
from l2sweep.cluster.line.handshake import MOST_HANDSHAKE_BYTES, RefusedError, receive_worker
from l2sweep.cluster.line.messages import (
    Begin,
    Check,
    Checked,
    Ended,
    Heard,
    Leave,
    Measured,
    from_line,
    to_line,
)
from l2sweep.cluster.membership import Membership
from l2sweep.cluster.worker import WorkerLimits, serve
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError
from l2sweep.records.owner import Host
from l2sweep.sweep.clients.share import Share
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.state.host_lock import host_lock
from l2sweep.sweep.state.journal import JournalEntry, journal_file

TOKEN = "the token of this test"
HOST = "127.0.0.1"
LIMIT_S = 20.0


class HeldBack(Connection):
    """Sends the last line of the handshake together with the first message behind it."""

    _held = b""

    def send(self, message: Mapping[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        if set(message) == {"proof"}:
            self._held = line
        else:
            self._socket.sendall(self._held + line)
            self._held = b""


@dataclass
class Launcher:
    """The place at which a worker looks for its launcher."""

    folder: Path
    pool: ThreadPoolExecutor
    listener: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))
    starter: FakeStarter = field(default_factory=FakeStarter)
    said: list[str] = field(default_factory=list)
    accepted: list[Connection] = field(default_factory=list)

    def start_worker(self, limits: WorkerLimits, token: str = TOKEN) -> Future[None]:
        member = Membership(HOST, self.listener.getsockname()[1], 0, 1)
        return self.pool.submit(serve, member, token, self.starter, limits, self.said.append)  # type: ignore[arg-type]

    def accept(self, kind: type[Connection] = Connection) -> Connection:
        connected, _ = self.listener.accept()
        connection = kind(connected, MOST_HANDSHAKE_BYTES)
        try:
            receive_worker(connection, TOKEN, 1)
        except BenchError:
            connection.close()
            raise
        self.accepted.append(connection)
        return connection

    def begin(self, number: int = 1) -> dict[str, Any]:
        """Return the message that begins an attempt at a point."""
        spec = {"type": "fs", "base_path": str(self.folder / "kv")}
        config = point(adapter=spec, num_keys=2, data_size_kb=64, rounds=2)
        sweep = SweepConfig(sweep_id="mine", results_dir=str(self.folder / "results"), lock="off")
        planned = PlannedPoint(0, 0, 0, config)
        return to_line(Begin.of(number, planned, sweep, Share.all_of(1, 1)[0], "node-r7", None))


@pytest.fixture(autouse=True)
def _own_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what workers in threads do to the state of the signals, which belongs to the process."""
    monkeypatch.setattr(interrupts, "_STATE", interrupts._State())


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    with ThreadPoolExecutor(2) as pool:
        launcher = Launcher(tmp_path, pool)
        yield launcher
        launcher.listener.close()
        for connection in launcher.accepted:
            connection.close()  # a worker that still runs, because its test has failed, ends


def check(
    launcher: Launcher, *points: PlannedPoint, all_points: Sequence[PlannedPoint] = ()
) -> dict[str, Any]:
    """Return the message that asks for a check of points."""
    sweep = SweepConfig(
        sweep_id="mine", results_dir=str(launcher.folder / "results"), lock="off", probe=False
    )
    configs = [one.config for one in all_points or points]
    return to_line(Check.of(3, points, sweep, configs, ("/plugins",)))


def planned(index: int, spec: dict[str, Any]) -> PlannedPoint:
    return PlannedPoint(index, index, 0, point(adapter=spec, num_keys=2, data_size_kb=64))


def ended(connection: Connection) -> tuple[list[dict[str, Any]], Ended]:
    """Return the rows of ``points`` that a worker sends, and the end of the attempt."""
    points: list[dict[str, Any]] = []
    while True:
        message = from_line(connection.receive(LIMIT_S))
        if isinstance(message, Measured):
            points += message.points
        if isinstance(message, Ended):
            return points, message


def checked(connection: Connection) -> list[str]:
    """Return the problems that a worker tells."""
    message = from_line(connection.receive(LIMIT_S))
    assert isinstance(message, Checked)
    assert message.number == 3
    return message.problems


def test_it_runs_an_attempt_and_ends_with_the_sweep(launcher: Launcher) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    connection = launcher.accept()
    connection.send(launcher.begin())
    (row,), end = ended(connection)
    assert (row["status"], row["host"]) == ("ok", "node-r7")
    assert end == Ended(1, keys_remain=False, problem="")
    connection.send(to_line(Leave()))
    worker.result(LIMIT_S)
    connection.close()
    place = f"{HOST}:{launcher.listener.getsockname()[1]}"
    assert launcher.said == [f"joined {place} as rank 0 of 1"]


def test_an_attempt_may_arrive_together_with_the_end_of_the_handshake(launcher: Launcher) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    connection = launcher.accept(HeldBack)
    connection.send(launcher.begin())
    (row,), _ = ended(connection)
    assert row["status"] == "ok"
    connection.send(to_line(Leave()))
    worker.result(LIMIT_S)
    connection.close()


def test_it_checks_points_as_a_sweep_on_one_host_does(launcher: Launcher) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    connection = launcher.accept()
    device, place = launcher.folder / "device", launcher.folder / "kv"
    device.write_text("foreign")
    points = [
        planned(0, {"type": "fs", "base_path": str(place)}),
        planned(1, {"type": "raw_block", "device_path": str(device), "slot_bytes": 1 << 20}),
    ]
    connection.send(check(launcher, *points))
    (problem,) = checked(connection)
    assert problem.startswith(f"{device} is a file that holds 7 bytes")
    device.unlink()
    place.write_text("a file where a folder should be")
    connection.send(check(launcher, *points))
    (problem,) = checked(connection)
    assert problem.startswith(f"adapter.base_path={place}: must be a folder that can be created or written")
    assert len(launcher.starter.jobs) == 2  # of the check before
    place.unlink()
    connection.send(check(launcher, *points))
    assert checked(connection) == []
    assert [job.only_checks_spec for job in launcher.starter.jobs] == [True] * 4
    assert launcher.starter.plugin_folders == ("/plugins",)
    connection.send(to_line(Leave()))
    worker.result(LIMIT_S)
    connection.close()
    assert sum("the sweep cannot run on this host: " in line for line in launcher.said) == 2


def test_a_host_on_which_another_sweep_runs_has_a_problem(launcher: Launcher, tmp_path: Path) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    connection = launcher.accept()
    message = check(launcher, planned(0, {"type": "mock"}))
    message["sweep"]["lock"] = "wait"
    with host_lock("fail", "another"):
        connection.send(message)
        (problem,) = checked(connection)
    assert problem.startswith("another sweep runs on this host: sweep another, process ")
    connection.send(message)
    assert checked(connection) == []
    connection.send(to_line(Leave()))
    worker.result(LIMIT_S)
    connection.close()


def test_it_removes_the_leftovers_of_every_point_of_the_sweep(launcher: Launcher) -> None:
    """Also of those that are not run again: without their spec, the password is missing."""
    secret = {"type": "resp", "host": "10.0.0.1", "port": 6379, "password": "hunter2"}
    specs = [{"type": "mock"}, {**secret, "port": 6380}, secret]
    files = []
    for index, spec in enumerate([*specs[1:], {**secret, "port": 6381}]):
        file = journal_file(launcher.folder / "results" / "sweeps" / "killed", index, 1, "0a0a0a")
        file.parent.mkdir(parents=True, exist_ok=True)
        job = planned(index, spec).config.job(f"killed-{index}-1-0a0a0a")
        file.write_text(JournalEntry(Host.here(), job, None).to_json())
        files.append(file)
    points = [planned(index, spec) for index, spec in enumerate(specs)]
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    connection = launcher.accept()
    for _ in range(2):  # as in a search
        connection.send(check(launcher, *points[:2], all_points=points))
        checked(connection)
    connection.send(to_line(Leave()))
    worker.result(LIMIT_S)
    connection.close()
    assert sum(line.endswith(", left by an earlier run, were removed") for line in launcher.said) == 2
    assert sum("remain: the adapter needs credentials" in line for line in launcher.said) == 1
    assert [file.exists() for file in files] == [False, False, True]


@pytest.mark.parametrize("measures", [True, False])
def test_it_ends_with_a_sweep_that_ends_during_an_attempt(launcher: Launcher, measures: bool) -> None:
    removes_keys, go_on = threading.Event(), threading.Event()

    def answer(job: Job) -> Answer:
        if job.phases and measures:
            return Answer([ACCEPTED, CREATED, PhaseStarted("store")], hangs=True, status=(-15, 1))
        if job.phases:
            return crash(job)
        removes_keys.set()
        assert go_on.wait(LIMIT_S)
        return succeed(job)

    launcher.starter = FakeStarter(answer)
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    connection = launcher.accept()
    connection.send(launcher.begin())
    if measures:
        while not isinstance(message := from_line(connection.receive(LIMIT_S)), Heard):
            pass
        assert message.client == 0
    else:
        assert removes_keys.wait(LIMIT_S)
    connection.send(to_line(Leave()))
    if not measures:  # what it has sent was not read, so that it can send no more
        connection.close()
    go_on.set()
    worker.result(LIMIT_S)
    assert [line.split()[0] for line in launcher.said] == ["joined"]
    assert not list(launcher.folder.rglob("running-*"))


def test_it_joins_a_launcher_that_is_back(launcher: Launcher) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    launcher.accept().close()
    connection = launcher.accept()
    connection.send(to_line(Leave()))
    worker.result(LIMIT_S)
    connection.close()
    assert [line.split()[0] for line in launcher.said] == ["joined", "lost", "joined"]


def test_that_of_the_launchers_host_ends_when_the_launcher_is_lost(launcher: Launcher) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S, joins_again=False))
    launcher.accept().close()
    with pytest.raises(BenchError, match=r"^lost the launcher at 127\.0\.0\.1:"):
        worker.result(LIMIT_S)


def test_it_says_why_no_launcher_could_be_joined(launcher: Launcher) -> None:
    launcher.listener.close()
    member = Membership(HOST, 1, 0, 1)
    with pytest.raises(BenchError) as raised:
        serve(member, TOKEN, launcher.starter, WorkerLimits(0.1), launcher.said.append)  # type: ignore[arg-type]
    assert str(raised.value) == (
        "--rendezvous 127.0.0.1:1: no launcher could be joined in 0.1 s: Connection refused"
    )


def test_it_does_not_try_again_where_it_is_refused(launcher: Launcher) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S), "another token, as long")
    with pytest.raises(RefusedError):
        launcher.accept()
    with pytest.raises(RefusedError, match="does not have the token of the launcher"):
        worker.result(LIMIT_S)


def test_an_attempt_that_cannot_run_is_told_and_the_next_one_runs(launcher: Launcher) -> None:
    worker = launcher.start_worker(WorkerLimits(LIMIT_S))
    connection = launcher.accept()
    (launcher.folder / "results").write_text("a file where a folder should be")
    connection.send(launcher.begin())
    points, end = ended(connection)
    assert points == []
    assert "File exists" in end.problem or "Not a directory" in end.problem
    (launcher.folder / "results").unlink()
    connection.send(launcher.begin(2))
    (row,), end = ended(connection)
    assert (row["status"], end.number) == ("ok", 2)
    connection.send(to_line(Leave()))
    worker.result(LIMIT_S)
    connection.close()
