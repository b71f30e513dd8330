"""Start benchmark processes by forking a server that has imported torch and LMCache once."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import time
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
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.process.fresh import bench_environment, module_command
from l2sweep.process.pipes import Pipes

# The imports of the server take 4 s on two cores (measured), longer from a cold disk.
_IMPORT_TIMEOUT_S = 120.0
# A server that has imported everything forks within 30 ms (measured). One that takes 300 times as long was
# stopped, or hangs. If it was only slow, a new one costs its imports.
_FORK_TIMEOUT_S = 10.0


class ServerLostError(BenchError):
    """The fork server has ended, does not answer, or sends what is not an answer. Its processes are lost."""


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
        self._is_lost = self._has_answered = False
        # In memory: a server can be started while no disk has space.
        self._errors = os.fdopen(os.memfd_create("l2sweep-fork-server"), "w+b")
        self._control, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A server that was stopped reads nothing, so that a send may block. timeval: socket(7).
        limit = struct.pack("@ll", int(_FORK_TIMEOUT_S), 0)
        self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
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
        """Whether the server is running and can be used."""
        return not self._is_lost and self._process.poll() is None

    def fork(self, adapter_types: Sequence[str], lmcache_log_level: str) -> tuple[int, Pipes]:
        """Return the id of a process that waits for its job, and the pipes to it.

        Args:
            adapter_types: Adapter types whose modules the process needs.
            lmcache_log_level: Name of the lowest level that LMCache logs.

        Raises:
            UnsafeToForkError: Forking is not safe.
            ServerLostError: The server has ended, or does not answer.
        """
        spare, self._spare = self._spare, None
        if spare is not None and spare.matches(adapter_types, lmcache_log_level):
            pid = self._wait_for_pid(spare, _FORK_TIMEOUT_S)
            if not self._has_ended(pid):
                return pid, spare.pipes
        if spare is not None:
            spare.pipes.close_parent_ends()
        imports_nothing = self._has_answered and self._imported.issuperset(adapter_types)
        limit_s = _FORK_TIMEOUT_S if imports_nothing else _IMPORT_TIMEOUT_S
        fork_request = self._request_fork(adapter_types, lmcache_log_level)
        return self._wait_for_pid(fork_request, limit_s), fork_request.pipes

    def fork_ahead(self, lmcache_log_level: str) -> None:
        """Request a process for the next job without waiting for it. Call this while nothing is measured.

        Args:
            lmcache_log_level: Name of the lowest level that LMCache logs in the process.
        """
        if self._spare is None and self.alive:
            with contextlib.suppress(ServerLostError):
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
            raise self._lost(error) from error
        finally:
            pipes.close_child_ends()
        self._imported.update(adapter_types)
        return _ForkRequest(number, pipes, frozenset(adapter_types), lmcache_log_level)

    def _wait_for_pid(self, fork_request: _ForkRequest, limit_s: float) -> int:
        give_up_at = time.monotonic() + limit_s  # exit statuses that arrive meanwhile do not extend the limit
        try:
            while fork_request.number not in self._answers:
                self._receive_answer(give_up_at - time.monotonic(), limit_s)
            answer = self._answers.pop(fork_request.number)
            if "danger" in answer:
                raise UnsafeToForkError(answer["danger"])
        except BaseException:
            fork_request.pipes.close_parent_ends()
            raise
        pid: int = answer["pid"]
        return pid

    def _has_ended(self, pid: int) -> bool:
        try:
            while pid not in self._ends and select.select([self._control], [], [], 0)[0]:
                self._store_answer()
        except ServerLostError:
            self._ends[pid] = (-signal.SIGKILL, 0)  # sent by the kernel when the server died
        return pid in self._ends

    def _receive_answer(self, wait_s: float, limit_s: float) -> None:
        with interruptible():
            readable = select.select([self._control], [], [], max(wait_s, 0.0))[0]
        if not readable:
            self._is_lost = True
            raise ServerLostError(f"the fork server did not answer within {limit_s:.0f} s")
        self._store_answer()

    def _store_answer(self) -> None:
        """Receive a packet and keep what it reports.

        Raises:
            ServerLostError: There is none, or it is not an answer.
        """
        try:
            packet = self._control.recv(PACKET_BYTES)
            if not packet:
                raise EOFError
            answer = json.loads(packet)
            if "ended" in answer:
                code = os.waitstatus_to_exitcode(answer["status"])
                self._ends[answer["ended"]] = (code, answer["peak_rss_bytes"])
            else:
                self._answers[answer["number"]] = (
                    answer if "danger" in answer else {"pid": int(answer["pid"])}
                )
                self._has_answered = True
        # OSError: among others ConnectionResetError, if the server had not read everything when it died.
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> ServerLostError:
        self._is_lost = True
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        what = f": {error}" if str(error) else ""
        return ServerLostError(f"the fork server has ended{'; last output: ' + lines[-1] if lines else what}")


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
        ServerLostError: The server has ended, or does not answer.
    """

    isolation = "forkserver"

    def __init__(self, server: ForkServer, job: Job, limits: ProcessLimits, on_output: OnOutput) -> None:
        self._server = server
        pid, pipes = server.fork(adapter_types(job.adapter_spec), limits.lmcache_log_level)
        # The server may serve several commands (main(arguments, starter)), each in its own folder.
        super().__init__(pid, replace(job, folder=str(Path.cwd())), limits, pipes, on_output)

    def read(self) -> Iterator[Message]:
        """Yield the messages that have arrived. After the last one, request the process for the next job."""
        for message in super().read():
            if isinstance(message, Finished):
                self._server.fork_ahead(self._limits.lmcache_log_level)
            yield message

    def _poll(self) -> tuple[int, int] | None:
        return self._server.take_exit_status(self.pid)
