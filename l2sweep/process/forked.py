"""Benchmark processes forked from a server that has imported torch and LMCache once."""

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
from dataclasses import dataclass
from typing import Any

from l2sweep.bench.adapter.lmcache_log import quiet_environment
from l2sweep.bench.fork_server import PACKET_BYTES
from l2sweep.bench.messages import Finished, Message
from l2sweep.bench.request import PointRequest
from l2sweep.config.adapter_spec import adapter_types
from l2sweep.errors import BenchError
from l2sweep.interrupts import interruptible
from l2sweep.process.bench_process import BenchProcess, OnOutput, Pipes, ProcessLimits
from l2sweep.process.fresh import bench_environment, module_command

_FORK_TIMEOUT_S = 120.0  # it may still be importing torch and LMCache, on a slow machine


class UnsafeToForkError(BenchError):
    """The server says that its process must not be forked."""


@dataclass(frozen=True)
class _Asked:
    """A process that the server was asked for: the number of the packet, and the pipes to it."""

    number: int
    pipes: Pipes


@dataclass(frozen=True)
class _Spare:
    """A process that was forked ahead, and what it can be used for."""

    asked: _Asked
    imported: frozenset[str]
    lmcache_log_level: str

    def serves(self, adapter_types: Sequence[str], lmcache_log_level: str) -> bool:
        return self.imported.issuperset(adapter_types) and self.lmcache_log_level == lmcache_log_level


class ForkServer:
    """The server's side of the launcher: starts it, asks it for processes, hears of their ends.

    It goes on importing while its maker does something else; who asks for a process waits for that.
    """

    def __init__(self) -> None:
        self._ends: dict[int, tuple[int, int]] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._numbers = itertools.count()
        self._spare: _Spare | None = None
        self._imported: set[str] = set()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*module_command("l2sweep.bench.fork_server"), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env={**bench_environment(None), **quiet_environment("WARNING")},
            )

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked for processes."""
        return self._process.poll() is None

    def fork(self, adapter_types: Sequence[str], lmcache_log_level: str) -> tuple[int, Pipes]:
        """Return the id of a process that waits for its request, and the pipes to it.

        Raises:
            UnsafeToForkError: The server must not be forked.
            BenchError: The server is gone.
        """
        spare, self._spare = self._spare, None
        if spare is not None and spare.serves(adapter_types, lmcache_log_level):
            pid = self._pid_of(spare.asked)
            if not self._has_ended(pid):
                return pid, spare.asked.pipes
        if spare is not None:
            spare.asked.pipes.close_ours()
        asked = self._ask(adapter_types, lmcache_log_level)
        return self._pid_of(asked), asked.pipes

    def fork_ahead(self, lmcache_log_level: str) -> None:
        """Have a process forked for the next request while nothing is measured, and do not wait for it."""
        if self._spare is None and self.alive:
            types = sorted(self._imported)
            with contextlib.suppress(BenchError):
                asked = self._ask(types, lmcache_log_level)
                self._spare = _Spare(asked, frozenset(types), lmcache_log_level)

    def end_of(self, pid: int) -> tuple[int, int] | None:
        """Return a process's exit code and peak memory in bytes, or None while it lives."""
        return self._ends.pop(pid) if self._has_ended(pid) else None

    def close(self) -> None:
        """End it; processes that it forked end with it."""
        if self._spare is not None:
            self._spare.asked.pipes.close_ours()
            self._spare = None
        self._control.close()
        self._process.kill()  # it holds nothing that would have to be put away
        self._process.wait()
        self._errors.close()

    def _ask(self, adapter_types: Sequence[str], lmcache_log_level: str) -> _Asked:
        number = next(self._numbers)
        words = {"number": number, "adapter_types": adapter_types, "lmcache_log_level": lmcache_log_level}
        pipes = Pipes.make()
        try:
            socket.send_fds(self._control, [json.dumps(words).encode()], list(pipes.of_the_process))
        except OSError as error:
            pipes.close_ours()
            raise BenchError(f"the fork server is gone: {error}") from error
        finally:
            pipes.close_those_of_the_process()
        self._imported.update(adapter_types)
        return _Asked(number, pipes)

    def _pid_of(self, asked: _Asked) -> int:
        try:
            while asked.number not in self._answers:
                self._note(self._receive(_FORK_TIMEOUT_S))
            answer = self._answers.pop(asked.number)
            if "danger" in answer:
                raise UnsafeToForkError(answer["danger"])
        except BaseException:
            asked.pipes.close_ours()
            raise
        return int(answer["pid"])

    def _has_ended(self, pid: int) -> bool:
        while pid not in self._ends and select.select([self._control], [], [], 0)[0]:
            try:
                self._note(self._receive(0))
            except BenchError:  # with the server its children die, by SIGKILL
                self._ends[pid] = (-9, 0)
        return pid in self._ends

    def _note(self, answer: dict[str, Any]) -> None:
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
        self._pid, pipes = server.fork(adapter_types(request.adapter_spec), limits.lmcache_log_level)
        super().__init__(request, limits, pipes, on_output)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._pid

    def messages(self) -> Iterator[Message]:
        """Yield what the process reports; when it is done have the next one forked, while it ends."""
        for message in super().messages():
            if isinstance(message, Finished):
                self._server.fork_ahead(self._limits.lmcache_log_level)
            yield message

    def _poll(self) -> tuple[int, int] | None:
        return self._server.end_of(self._pid)
