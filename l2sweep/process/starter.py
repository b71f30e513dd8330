"""Choose how a benchmark process is started: forked from a server, or in a new interpreter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from l2sweep.bench.job import Job
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.process.forked import ForkedProcess, ForkServer, ServerLostError, UnsafeToForkError
from l2sweep.process.fresh import FreshInterpreter

# A server that dies is replaced. If the next one dies as well, the requested process may be the cause.
_SERVERS_PER_PROCESS = 2

StartProcess = Callable[[Job, ProcessLimits, OnOutput], BenchProcess]


class ProcessStarter(AbstractContextManager["ProcessStarter"]):
    """Start the benchmark processes of a sweep. The fork server starts when it is first needed.

    Args:
        isolation: ``forkserver``, ``spawn`` (a new interpreter), or ``auto`` (fork if it is safe).
    """

    def __init__(self, isolation: str) -> None:
        self.isolation = isolation
        self._server: ForkServer | None = None

    def __exit__(self, *error: object) -> None:
        """End the fork server."""
        self.close()

    def start_server(self) -> ForkServer:
        """Return the running fork server, and start it if there is none.

        Call this ahead of the first process: the server's imports take over a second.
        """
        if self._server is not None and not self._server.alive:
            self.close()
        if self._server is None:
            self._server = ForkServer()
        return self._server

    def start(self, job: Job, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
        """Start a benchmark process.

        Args:
            job: The job to run.
            limits: The limits to enforce. Another interpreter in ``python`` always means ``spawn``.
            on_output: Called with each line of standard output and standard error, in another thread.

        Raises:
            UnsafeToForkError: The isolation is ``forkserver``, and forking is not safe.
            OSError: The interpreter cannot be started.
        """
        if self.isolation == "spawn" or limits.python is not None:
            return FreshInterpreter(job, limits, on_output)
        for _ in range(_SERVERS_PER_PROCESS):
            try:
                return ForkedProcess(self.start_server(), job, limits, on_output)
            except UnsafeToForkError:
                if self.isolation == "forkserver":
                    raise
                self.close()
                self.isolation = "spawn"
                break
            except ServerLostError:
                self.close()  # the process had not begun: the next server starts it
        return FreshInterpreter(job, limits, on_output)

    def close(self) -> None:
        """End the fork server and the processes that it forked."""
        if self._server is not None:
            self._server.close()
            self._server = None
