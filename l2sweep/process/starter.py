"""Choose how a benchmark process is started: forked from a server, or in a new interpreter."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

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

    Attributes:
        plugin_folders: Folders from which the processes can also import.
    """

    def __init__(self, isolation: str) -> None:
        self.isolation = isolation
        self.plugin_folders: tuple[str, ...] = ()
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
        # Never those of a job that was read from a file: what is imported is run.
        job = replace(job, import_paths=(*self.plugin_folders, *_import_paths(limits.python)))
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


def _import_paths(python: str | None) -> tuple[str, ...]:
    """Return the folders of PYTHONPATH that another interpreter gets behind its own packages.

    In front of them, as Python puts them, they could replace the LMCache that is to be measured. The running
    interpreter has them in front, as the user asked for.
    """
    if python is None:
        return ()
    folders = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return tuple(str(Path(folder).absolute()) for folder in folders)
