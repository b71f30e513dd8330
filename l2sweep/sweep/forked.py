"""Benchmark processes forked from a server that has imported torch and LMCache once."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any

from l2sweep.bench.fork_server import PACKET_BYTES
from l2sweep.bench.lmcache_log import quiet_environment
from l2sweep.bench.request import PointRequest
from l2sweep.errors import BenchError
from l2sweep.sweep.fresh import bench_environment, module_command
from l2sweep.sweep.process import BenchProcess, OnOutput, Pipes, ProcessLimits

_START_TIMEOUT_S = 120.0
_FORK_TIMEOUT_S = 30.0


class UnsafeToForkError(BenchError):
    """The server says that its process must not be forked."""


class ForkServer:
    """The server's side of the launcher: starts it, asks it for processes, hears of their ends.

    Args:
        adapter_types: What it imports besides torch and LMCache.

    Raises:
        UnsafeToForkError: It must not be forked.
        BenchError: It did not start.
    """

    def __init__(self, adapter_types: Sequence[str]) -> None:
        self._ends: dict[int, tuple[int, int]] = {}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*module_command("l2sweep.bench.fork_server"), str(theirs.fileno()), *adapter_types],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**bench_environment(None), **quiet_environment("WARNING")},
            )
        try:
            danger = self._receive(_START_TIMEOUT_S)["danger"]
            if danger:
                raise UnsafeToForkError(danger)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked for processes."""
        return self._process.poll() is None

    def fork(self, pipes: Pipes, lmcache_log_level: str) -> int:
        """Have a process forked and return its process id.

        Raises:
            BenchError: The server is gone.
        """
        try:
            socket.send_fds(self._control, [lmcache_log_level.encode()], list(pipes.of_the_process))
        except OSError as error:
            raise BenchError(f"the fork server is gone: {error}") from error
        while "pid" not in (answer := self._receive(_FORK_TIMEOUT_S)):
            self._note_end(answer)
        return int(answer["pid"])

    def end_of(self, pid: int) -> tuple[int, int] | None:
        """Return a process's exit code and peak memory in bytes, or None while it lives."""
        while pid not in self._ends and select.select([self._control], [], [], 0)[0]:
            try:
                self._note_end(self._receive(0))
            except BenchError:  # with the server its children die, by SIGKILL
                self._ends[pid] = (-9, 0)
        return self._ends.pop(pid, None)

    def close(self) -> None:
        """End it; processes that it forked end with it."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        if self.alive:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _note_end(self, answer: dict[str, Any]) -> None:
        code = os.waitstatus_to_exitcode(answer["status"])
        self._ends[answer["ended"]] = (code, answer["peak_rss_bytes"])

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        if not select.select([self._control], [], [], timeout_s)[0]:
            raise BenchError(f"the fork server did not answer within {timeout_s:.0f} s")
        packet = self._control.recv(PACKET_BYTES)
        if not packet:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            raise BenchError(f"the fork server ended{': ' + said[-1] if said else ''}")
        answer: dict[str, Any] = json.loads(packet)
        return answer


class ForkedProcess(BenchProcess):
    """Starts in milliseconds, and shares with its siblings only what was imported before the fork.

    Args:
        server: Where it comes from.
        request: What it is to do.
        limits: What it is given.
        on_output: Takes each line of its standard output and error, from another thread.
    """

    isolation = "forkserver"

    def __init__(
        self, server: ForkServer, request: PointRequest, limits: ProcessLimits, on_output: OnOutput
    ) -> None:
        self._server = server
        pipes = Pipes.make()
        self._pid = server.fork(pipes, limits.lmcache_log_level)
        pipes.close_those_of_the_process()
        super().__init__(request, limits, pipes, on_output)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._pid

    def _poll(self) -> tuple[int, int] | None:
        return self._server.end_of(self._pid)
