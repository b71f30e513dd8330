"""ProcessStarter: which processes are forked, which get a new interpreter, and when a server is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from fake_process import JOB, LIMITS

from l2sweep.bench.job import Job
from l2sweep.errors import BenchError
from l2sweep.process import starter as starter_module
from l2sweep.process.bench_process import OnOutput, ProcessLimits
from l2sweep.process.forked import ServerLostError, UnsafeToForkError
from l2sweep.process.starter import ProcessStarter

OTHER_PYTHON = ProcessLimits(60.0, python="/opt/other/bin/python")


@dataclass
class FakeServer:
    alive: bool = True
    error: BenchError | None = None
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Started:
    """What was started, in order: ``fresh``, or the server that was forked."""

    processes: list[str | FakeServer] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    servers: list[FakeServer] = field(default_factory=list)

    def server(self) -> FakeServer:
        self.servers.append(FakeServer())
        return self.servers[-1]

    def fresh(self, job: Job, limits: ProcessLimits, on_output: OnOutput) -> str:
        self.processes.append("fresh")
        self.jobs.append(job)
        return "fresh"

    def forked(self, server: FakeServer, job: Job, limits: ProcessLimits, on_output: OnOutput) -> str:
        if server.error is not None:
            raise server.error
        self.processes.append(server)
        self.jobs.append(job)
        return "forked"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Record what is started, and start no process."""
    kept = Started()
    monkeypatch.setattr(starter_module, "ForkServer", kept.server)
    monkeypatch.setattr(starter_module, "ForkedProcess", kept.forked)
    monkeypatch.setattr(starter_module, "FreshInterpreter", kept.fresh)
    return kept


def start(starter: ProcessStarter, limits: ProcessLimits = LIMITS) -> None:
    starter.start(JOB, limits, lambda line: None)


def test_spawn_starts_a_new_interpreter_and_no_server(started: Started) -> None:
    with ProcessStarter("spawn") as starter:
        start(starter)
    assert (started.processes, started.servers) == (["fresh"], [])


@pytest.mark.parametrize("isolation", ["auto", "forkserver"])
def test_processes_are_forked_from_one_server(started: Started, isolation: str) -> None:
    with ProcessStarter(isolation) as starter:
        start(starter)
        start(starter)
        (server,) = started.servers
        assert started.processes == [server, server]
        assert not server.is_closed
    assert server.is_closed


@pytest.mark.parametrize("isolation", ["auto", "forkserver", "spawn"])
def test_another_interpreter_is_never_forked(started: Started, isolation: str) -> None:
    with ProcessStarter(isolation) as starter:
        start(starter, OTHER_PYTHON)
    assert (started.processes, started.servers) == (["fresh"], [])


def test_auto_starts_new_interpreters_once_forking_is_not_safe(started: Started) -> None:
    with ProcessStarter("auto") as starter:
        starter.start_server()
        started.servers[0].error = UnsafeToForkError("CUDA is initialised")
        start(starter)
        assert started.servers[0].is_closed
        start(starter)
        assert starter.isolation == "spawn"
    assert started.processes == ["fresh", "fresh"]
    assert len(started.servers) == 1


def test_forkserver_raises_if_forking_is_not_safe(started: Started) -> None:
    with ProcessStarter("forkserver") as starter:
        starter.start_server()
        started.servers[0].error = UnsafeToForkError("CUDA is initialised")
        with pytest.raises(UnsafeToForkError, match="CUDA is initialised"):
            start(starter)
    assert started.processes == []


@pytest.mark.parametrize("isolation", ["auto", "forkserver"])
def test_a_server_that_ends_while_it_is_asked_is_replaced_for_the_same_process(
    started: Started, isolation: str
) -> None:
    with ProcessStarter(isolation) as starter:
        starter.start_server()
        started.servers[0].error = ServerLostError("the fork server has ended")
        start(starter)
        start(starter)
    first, second = started.servers
    assert started.processes == [second, second]
    assert (first.is_closed, starter.isolation) == (True, isolation)


def test_a_process_that_ends_two_servers_gets_a_new_interpreter(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> FakeServer:
        started.servers.append(FakeServer(error=ServerLostError("the fork server has ended")))
        return started.servers[-1]

    monkeypatch.setattr(starter_module, "ForkServer", broken)
    with ProcessStarter("auto") as starter:
        start(starter)
    assert started.processes == ["fresh"]
    assert [server.is_closed for server in started.servers] == [True, True]


def test_a_server_that_has_ended_between_two_points_is_replaced(started: Started) -> None:
    with ProcessStarter("auto") as starter:
        start(starter)
        started.servers[0].alive = False
        start(starter)
    first, second = started.servers
    assert started.processes == [first, second]
    assert first.is_closed


def test_a_server_that_was_started_ahead_is_used(started: Started) -> None:
    with ProcessStarter("auto") as starter:
        assert started.servers == []
        starter.start_server()
        start(starter)
    assert started.processes == started.servers


@pytest.mark.parametrize("prepare", [lambda starter: None, ProcessStarter.start_server])
def test_a_starter_can_be_closed_more_than_once(
    started: Started, prepare: Callable[[ProcessStarter], None]
) -> None:
    starter = ProcessStarter("auto")
    prepare(starter)
    starter.close()
    starter.close()
    assert all(server.is_closed for server in started.servers)


def test_a_process_imports_plugins_from_the_given_folders_and_from_no_others(started: Started) -> None:
    with ProcessStarter("auto") as starter:
        starter.plugin_folders = ("/home/me/conf",)
        starter.start(replace(JOB, import_paths=("/tmp/planted",)), LIMITS, lambda line: None)
    assert [job.import_paths for job in started.jobs] == [("/home/me/conf",)]


def test_another_interpreter_gets_pythonpath_behind_its_own_packages(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/home/me/plugins::/home/me/more")
    with ProcessStarter("auto") as starter:
        start(starter, OTHER_PYTHON)
        start(starter)  # the running one has them already
    assert [job.import_paths for job in started.jobs] == [("/home/me/plugins", "/home/me/more"), ()]
