"""ForkServer and ForkedProcess: the protocol with the server. The test acts as the server."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from fake_process import JOB, LIMITS, open_descriptors

from l2sweep.bench.fork_server import PACKET_BYTES
from l2sweep.bench.messages import Accepted, Finished, encode
from l2sweep.process import forked
from l2sweep.process.forked import ForkedProcess, ForkServer, ServerLostError, UnsafeToForkError
from l2sweep.process.pipes import Pipes

PID = 4242  # ForkServer sends no signal to the processes that it requests


class ServerProcess:
    """Stands in for subprocess.Popen: the server's end of the socket, and a process that does not exist."""

    def __init__(
        self, command: Sequence[str], *, pass_fds: Sequence[int], stdout: Any, **options: Any
    ) -> None:
        self.command, self.options, self.stdout = command, options, stdout
        self.control = socket.socket(fileno=os.dup(pass_fds[0]))
        self.control.setblocking(False)
        self.pid = 1
        self.returncode: int | None = None
        self.calls: list[str] = []

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.calls.append("kill")

    def wait(self) -> None:
        self.calls.append("wait")

    def answer(self, **fields: Any) -> None:
        self.control.send(json.dumps(fields).encode())

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        """Return a request and the descriptors that came with it."""
        packet, descriptors, _, _ = socket.recv_fds(self.control, PACKET_BYTES, 3)
        return json.loads(packet), descriptors

    def requests(self) -> list[dict[str, Any]]:
        """Return every request that has arrived, without its descriptors."""
        received = []
        while True:
            try:
                request, descriptors = self.receive()
            except BlockingIOError:
                return received
            received.append(request)
            for descriptor in descriptors:
                os.close(descriptor)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    monkeypatch.setattr(forked.subprocess, "Popen", ServerProcess)
    made = ForkServer()
    process = made._process
    yield made
    made.close()
    process.control.close()


@pytest.fixture
def process(server: ForkServer) -> ServerProcess:
    """Return the fake server process."""
    assert isinstance(server._process, ServerProcess)
    return server._process


def test_the_server_is_started_apart_from_the_terminal_and_with_lmcache_quiet(process: ServerProcess) -> None:
    assert "l2sweep.bench.fork_server" in process.command[-2]
    assert process.options["start_new_session"] is True  # Ctrl-C reaches the launcher only
    assert process.options["env"]["LMCACHE_LOG_LEVEL"] == "WARNING"


def test_a_request_carries_the_adapter_types_the_log_level_and_the_pipes(
    server: ForkServer, process: ServerProcess
) -> None:
    process.answer(number=0, pid=PID)
    pid, pipes = server.fork(["fault_inject", "fs"], "INFO")
    request, (job, messages, output) = process.receive()
    assert pid == PID
    assert request == {"number": 0, "adapter_types": ["fault_inject", "fs"], "lmcache_log_level": "INFO"}
    os.write(pipes.job[1], b"job")
    os.write(messages, b"message")
    os.write(output, b"output")
    assert os.read(job, 10) == b"job"
    assert os.read(pipes.messages[0], 10) == b"message"
    assert os.read(pipes.output[0], 10) == b"output"
    pipes.close_parent_ends()
    for descriptor in (job, messages, output):
        os.close(descriptor)


def test_the_launcher_reads_end_of_file_when_the_process_has_closed_its_ends(
    server: ForkServer, process: ServerProcess
) -> None:
    process.answer(number=0, pid=PID)
    _, pipes = server.fork(["fs"], "INFO")
    process.requests()
    assert os.read(pipes.messages[0], 10) == b""
    pipes.close_parent_ends()


def test_a_server_that_must_not_be_forked_is_reported_with_the_reason(
    server: ForkServer, process: ServerProcess
) -> None:
    before = open_descriptors()
    process.answer(number=0, danger="CUDA is initialised")
    with pytest.raises(UnsafeToForkError, match="CUDA is initialised"):
        server.fork(["fs"], "INFO")
    process.requests()
    assert open_descriptors() <= before


def test_a_server_that_ends_before_it_answers_is_reported_with_its_last_output(
    server: ForkServer, process: ServerProcess
) -> None:
    process.stdout.write(b"Traceback\nImportError: no torch\n\n")
    process.stdout.flush()
    process.control.shutdown(socket.SHUT_WR)
    with pytest.raises(
        ServerLostError, match=r"^the fork server has ended; last output: ImportError: no torch$"
    ):
        server.fork(["fs"], "INFO")
    assert not server.alive


def test_a_server_that_has_ended_takes_no_request(server: ForkServer, process: ServerProcess) -> None:
    before = open_descriptors()
    process.control.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ServerLostError, match=r"^the fork server has ended: .*Broken pipe"):
        server.fork(["fs"], "INFO")
    assert open_descriptors() <= before


def test_a_server_that_does_not_answer_in_time_is_an_error(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forked, "_IMPORT_TIMEOUT_S", 0.0)
    with pytest.raises(ServerLostError, match="the fork server did not answer within 0 s"):
        server.fork(["fs"], "INFO")
    assert not server.alive


def test_a_server_that_has_imported_everything_has_less_time_to_answer(
    server: ForkServer, process: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork_ahead(server, process)
    server.fork(["fs"], "INFO")[1].close_parent_ends()
    monkeypatch.setattr(forked, "_FORK_TIMEOUT_S", 0.0)
    with pytest.raises(ServerLostError, match="the fork server did not answer within 0 s"):
        server.fork(["fs"], "INFO")


def test_a_server_that_dies_with_an_unread_request_is_lost(
    server: ForkServer, process: ServerProcess
) -> None:
    before = open_descriptors()
    server._spare = server._request_fork(["fs"], "INFO")  # the server never reads it
    process.control.close()  # now the kernel reports ECONNRESET to the launcher, and not the end of the file
    with pytest.raises(ServerLostError, match=r"^the fork server has ended: .*Connection reset by peer"):
        server.fork(["fs"], "INFO")
    assert not server.alive
    assert open_descriptors() <= before


def test_the_process_of_a_server_that_dies_with_an_unread_request_was_killed(
    server: ForkServer, process: ServerProcess
) -> None:
    server._spare = server._request_fork(["fs"], "INFO")
    process.control.close()
    assert server.take_exit_status(PID) == (-signal.SIGKILL, 0)


@pytest.mark.parametrize(
    "packet",
    [
        b'{"number": 0, "pi',
        b"[]",
        b"7",
        b"{}",
        b'{"number": 0}',
        b'{"number": 0, "pid": "x"}',
        b'{"ended": 1}',
        b"\xff",
    ],
)
def test_a_packet_that_is_no_answer_means_that_the_server_is_lost(
    server: ForkServer, process: ServerProcess, packet: bytes
) -> None:
    process.control.send(packet)
    with pytest.raises(ServerLostError):
        server.fork(["fs"], "INFO")
    assert not server.alive


@pytest.mark.parametrize(("status", "code"), [(3 << 8, 3), (0, 0), (signal.SIGSEGV, -signal.SIGSEGV)])
def test_the_exit_status_of_a_process_is_returned_once_it_has_ended(
    server: ForkServer, process: ServerProcess, status: int, code: int
) -> None:
    assert server.take_exit_status(PID) is None
    process.answer(ended=PID + 1, status=0, peak_rss_bytes=1)
    assert server.take_exit_status(PID) is None
    process.answer(ended=PID, status=status, peak_rss_bytes=4096)
    assert server.take_exit_status(PID) == (code, 4096)
    assert server.take_exit_status(PID) is None  # the kernel may use the process id again


def test_the_processes_of_a_server_that_has_ended_were_killed(
    server: ForkServer, process: ServerProcess
) -> None:
    process.control.close()
    assert server.take_exit_status(PID) == (-signal.SIGKILL, 0)


def test_an_exit_status_that_arrives_before_an_answer_is_kept(
    server: ForkServer, process: ServerProcess
) -> None:
    process.answer(ended=PID, status=0, peak_rss_bytes=4096)
    process.answer(number=0, pid=PID + 1)
    pid, pipes = server.fork(["fs"], "INFO")
    assert pid == PID + 1
    assert server.take_exit_status(PID) == (0, 4096)
    pipes.close_parent_ends()


def fork_ahead(server: ForkServer, process: ServerProcess) -> None:
    """Fork and use a process with the adapter fs, then fork another one ahead."""
    process.answer(number=0, pid=PID)
    _, pipes = server.fork(["fs"], "INFO")
    pipes.close_parent_ends()
    server.fork_ahead("INFO")
    process.answer(number=1, pid=PID + 1)
    assert process.requests()[1] == {"number": 1, "adapter_types": ["fs"], "lmcache_log_level": "INFO"}


def test_a_process_that_was_forked_ahead_is_used_for_the_next_job(
    server: ForkServer, process: ServerProcess
) -> None:
    fork_ahead(server, process)
    pid, pipes = server.fork(["fs"], "INFO")
    assert (pid, process.requests()) == (PID + 1, [])
    pipes.close_parent_ends()


@pytest.mark.parametrize(("adapter_types", "level"), [(["fs", "resp"], "INFO"), (["fs"], "DEBUG")])
def test_a_process_that_was_forked_ahead_with_other_settings_is_not_used(
    server: ForkServer, process: ServerProcess, adapter_types: list[str], level: str
) -> None:
    fork_ahead(server, process)
    before = open_descriptors()
    process.answer(number=2, pid=PID + 2)
    pid, pipes = server.fork(adapter_types, level)
    assert pid == PID + 2
    assert process.requests() == [{"number": 2, "adapter_types": adapter_types, "lmcache_log_level": level}]
    pipes.close_parent_ends()
    assert open_descriptors() <= before - 3  # the pipes of the unused process are closed, too


def test_a_process_that_was_forked_ahead_and_has_ended_is_not_used(
    server: ForkServer, process: ServerProcess
) -> None:
    fork_ahead(server, process)
    process.answer(ended=PID + 1, status=9, peak_rss_bytes=0)
    process.answer(number=2, pid=PID + 2)
    pid, pipes = server.fork(["fs"], "INFO")
    assert pid == PID + 2
    pipes.close_parent_ends()


def test_one_process_at_most_is_forked_ahead(server: ForkServer, process: ServerProcess) -> None:
    fork_ahead(server, process)
    server.fork_ahead("INFO")
    assert process.requests() == []


def test_a_server_that_has_ended_forks_nothing_ahead(server: ForkServer, process: ServerProcess) -> None:
    process.returncode = 1
    assert not server.alive
    server.fork_ahead("INFO")
    assert process.requests() == []
    process.returncode = None
    process.control.close()  # it ends just now
    server.fork_ahead("INFO")
    assert server._spare is None


def test_closing_kills_the_server_and_closes_every_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forked.subprocess, "Popen", ServerProcess)
    before = open_descriptors()
    server = ForkServer()
    process = server._process
    assert isinstance(process, ServerProcess)
    fork_ahead(server, process)
    server.close()
    process.control.close()
    assert process.calls == ["kill", "wait"]
    assert open_descriptors() <= before


class FakeServer:
    """The part of ForkServer that a process uses."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.pipes = Pipes.make()

    def fork(self, adapter_types: Sequence[str], lmcache_log_level: str) -> tuple[int, Pipes]:
        self.calls.append(("fork", list(adapter_types), lmcache_log_level))
        return PID, self.pipes

    def fork_ahead(self, lmcache_log_level: str) -> None:
        self.calls.append(("fork_ahead", lmcache_log_level))

    def take_exit_status(self, pid: int) -> tuple[int, int] | None:
        return (0, pid)


class ForkedWithoutProcess(ForkedProcess):
    """A ForkedProcess that sends no signal."""

    def _signal_group(self, number: signal.Signals) -> None:
        pass


def test_a_forked_process_uses_the_server_for_its_start_its_end_and_its_successor() -> None:
    server = FakeServer()
    inner = {"type": "fs", "base_path": "/kv"}
    job = replace(JOB, adapter_spec={"type": "fault_inject", "inner": inner})
    process = ForkedWithoutProcess(server, job, replace(LIMITS, lmcache_log_level="DEBUG"), lambda line: None)  # type: ignore[arg-type]
    assert server.calls == [("fork", ["fault_inject", "fs"], "DEBUG")]
    accepted, finished = Accepted(None, None, "3.11.7"), Finished(0, "", 1)
    os.write(server.pipes.messages[1], encode(accepted) + encode(finished))
    server.pipes.close_child_ends()
    messages = process.messages()
    assert next(messages) == accepted
    assert len(server.calls) == 1  # nothing is forked while the process measures
    assert list(messages) == [finished]
    assert server.calls[1:] == [("fork_ahead", "DEBUG")]
    end = process.end()
    assert (process.pid, end.exit_code, end.peak_rss_bytes) == (PID, 0, PID)
    assert process.isolation == "forkserver"
