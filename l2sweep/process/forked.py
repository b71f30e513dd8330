"""Start benchmark processes by forking a server that has imported torch and LMCache once."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.bench.adapter.lmcache_log import quiet_environment
from l2sweep.bench.fork_server import PACKET_BYTES
from l2sweep.bench.job import Job, adapter_types
from l2sweep.bench.messages import Finished, Message
from l2sweep.errors import BenchError
from l2sweep.interrupts import interruptible
from l2sweep.process.bench_process import BenchProcess, OnOutput, Pipes, ProcessLimits
from l2sweep.process.fresh import bench_environment, module_command

_FORK_TIMEOUT_S = 120.0  # the imports of the server take 4 s on two cores (measured), longer from a cold disk


class UnsafeToForkError(BenchError):
    """The fork server reports that forking is not safe: threads or CUDA exist that would not survive it."""


@dataclass(frozen=True)
class _ForkRequest:
    """A process requested from the server: the number of the request, the pipes, and the settings it has."""

    number: int
    pipes: Pipes
    imported: frozenset[str]
    lmcache_log_level: str

    def matches(self, adapter_types: Sequence[str], lmcache_log_level: str) -> bool:
        return self.imported.issuperset(adapter_types) and self.lmcache_log_level == lmcache_log_level


class ForkServer:
    """Client of the fork server: start the server, request processes, and receive how they ended.

    The server imports torch and LMCache in parallel with the launcher. The first request for a process
    waits until the imports are done.
    """

    def __init__(self) -> None:
        self._ends: dict[int, tuple[int, int]] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._numbers = itertools.count()
        self._spare: _ForkRequest | None = None
        self._imported: set[str] = set()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._control, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with server_end:
            self._process = subprocess.Popen(
                [*module_command("l2sweep.bench.fork_server"), str(server_end.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[server_end.fileno()],
                start_new_session=True,
                env={**bench_environment(None), **quiet_environment("WARNING")},
            )

    @property
    def alive(self) -> bool:
        """Whether the server is running."""
        return self._process.poll() is None

    def fork(self, adapter_types: Sequence[str], lmcache_log_level: str) -> tuple[int, Pipes]:
        """Return the id of a process that waits for its job, and the pipes to it.

        Args:
            adapter_types: Adapter types whose modules the process needs.
            lmcache_log_level: Name of the lowest level that LMCache logs.

        Raises:
            UnsafeToForkError: Forking is not safe.
            BenchError: The server has ended, or did not answer in time.
        """
        spare, self._spare = self._spare, None
        if spare is not None and spare.matches(adapter_types, lmcache_log_level):
            pid = self._wait_for_pid(spare)
            if not self._has_ended(pid):
                return pid, spare.pipes
        if spare is not None:
            spare.pipes.close_parent_ends()
        fork_request = self._request_fork(adapter_types, lmcache_log_level)
        return self._wait_for_pid(fork_request), fork_request.pipes

    def fork_ahead(self, lmcache_log_level: str) -> None:
        """Request a process for the next job without waiting for it. Call this while nothing is measured.

        Args:
            lmcache_log_level: Name of the lowest level that LMCache logs in the process.
        """
        if self._spare is None and self.alive:
            with contextlib.suppress(BenchError):
                self._spare = self._request_fork(sorted(self._imported), lmcache_log_level)

    def take_exit_status(self, pid: int) -> tuple[int, int] | None:
        """Return the exit code and peak memory in bytes of a process, or None while it runs."""
        return self._ends.pop(pid) if self._has_ended(pid) else None

    def close(self) -> None:
        """End the server. The kernel kills the processes that it forked."""
        if self._spare is not None:
            self._spare.pipes.close_parent_ends()
            self._spare = None
        self._control.close()
        self._process.kill()  # the server has nothing to save
        self._process.wait()
        self._errors.close()

    def _request_fork(self, adapter_types: Sequence[str], lmcache_log_level: str) -> _ForkRequest:
        number = next(self._numbers)
        packet = {"number": number, "adapter_types": adapter_types, "lmcache_log_level": lmcache_log_level}
        pipes = Pipes.make()
        try:
            socket.send_fds(self._control, [json.dumps(packet).encode()], list(pipes.child_ends))
        except OSError as error:
            pipes.close_parent_ends()
            raise BenchError(f"the fork server has ended: {error}") from error
        finally:
            pipes.close_child_ends()
        self._imported.update(adapter_types)
        return _ForkRequest(number, pipes, frozenset(adapter_types), lmcache_log_level)

    def _wait_for_pid(self, fork_request: _ForkRequest) -> int:
        try:
            while fork_request.number not in self._answers:
                self._store_answer(self._receive(_FORK_TIMEOUT_S))
            answer = self._answers.pop(fork_request.number)
            if "danger" in answer:
                raise UnsafeToForkError(answer["danger"])
        except BaseException:
            fork_request.pipes.close_parent_ends()
            raise
        return int(answer["pid"])

    def _has_ended(self, pid: int) -> bool:
        while pid not in self._ends and select.select([self._control], [], [], 0)[0]:
            try:
                self._store_answer(self._receive(0))
            except BenchError:  # the server has ended, so the kernel killed its children with SIGKILL
                self._ends[pid] = (-9, 0)
        return pid in self._ends

    def _store_answer(self, answer: dict[str, Any]) -> None:
        if "ended" in answer:
            code = os.waitstatus_to_exitcode(answer["status"])
            self._ends[answer["ended"]] = (code, answer["peak_rss_bytes"])
        else:
            self._answers[answer["number"]] = answer

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        with interruptible() if timeout_s else contextlib.nullcontext():
            readable = select.select([self._control], [], [], timeout_s)[0]
        if not readable:
            raise BenchError(f"the fork server did not answer within {timeout_s:.0f} s")
        packet = self._control.recv(PACKET_BYTES)
        if not packet:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            raise BenchError(f"the fork server has ended{'; last output: ' + lines[-1] if lines else ''}")
        answer: dict[str, Any] = json.loads(packet)
        return answer


class ForkedProcess(BenchProcess):
    """A benchmark process forked from the fork server.

    It starts in milliseconds. Forked processes share only the modules that the server imported.

    Args:
        server: The server to fork.
        job: The job to run.
        limits: The limits to enforce.
        on_output: Called with each line of standard output and standard error, in another thread.

    Raises:
        UnsafeToForkError: Forking is not safe.
        BenchError: The server has ended, or did not answer in time.
    """

    isolation = "forkserver"

    def __init__(self, server: ForkServer, job: Job, limits: ProcessLimits, on_output: OnOutput) -> None:
        self._server = server
        pid, pipes = server.fork(adapter_types(job.adapter_spec), limits.lmcache_log_level)
        # The server may serve several commands (main(arguments, starter)), each in its own folder.
        super().__init__(pid, replace(job, folder=str(Path.cwd())), limits, pipes, on_output)

    def messages(self) -> Iterator[Message]:
        """Yield each message. After the last one, request the process for the next job."""
        for message in super().messages():
            if isinstance(message, Finished):
                self._server.fork_ahead(self._limits.lmcache_log_level)
            yield message

    def _poll(self) -> tuple[int, int] | None:
        return self._server.take_exit_status(self.pid)
