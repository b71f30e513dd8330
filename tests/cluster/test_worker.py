"""A worker: how it joins a launcher that the test plays, what it does for it, and how it ends."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_starter import FakeStarter
from shipped import point

from l2sweep import interrupts
from l2sweep.cluster.line.connection import Connection
from l2sweep.cluster.line.handshake import MOST_HANDSHAKE_BYTES, RefusedError, receive_worker
from l2sweep.cluster.line.messages import Begin, Ended, Leave, Measured, from_line, to_line
from l2sweep.cluster.membership import Membership
from l2sweep.cluster.worker import WorkerLimits, serve
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError
from l2sweep.sweep.clients.share import Share
from l2sweep.sweep.plan import PlannedPoint

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
        return connection

    def begin(self, number: int = 1) -> dict[str, Any]:
        """Return the message that begins an attempt at a point."""
        spec = {"type": "fs", "base_path": str(self.folder / "kv")}
        config = point(adapter=spec, num_keys=2, data_size_kb=64, rounds=2)
        sweep = SweepConfig(sweep_id="mine", results_dir=str(self.folder / "results"), lock="off")
        planned = PlannedPoint(0, 0, 0, config)
        return to_line(Begin.of(number, planned, sweep, Share.all_of(1, 1)[0], "node-r7", None, ()))


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


def ended(connection: Connection) -> tuple[list[dict[str, Any]], Ended]:
    """Return the rows of ``points`` that a worker sends, and the end of the attempt."""
    points: list[dict[str, Any]] = []
    while True:
        message = from_line(connection.receive(LIMIT_S))
        if isinstance(message, Measured):
            points += message.points
        if isinstance(message, Ended):
            return points, message


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
