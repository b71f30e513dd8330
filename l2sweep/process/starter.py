"""Which way a point's process is started."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from l2sweep.bench.request import PointRequest
from l2sweep.errors import BenchError
from l2sweep.process.bench_process import BenchProcess, OnOutput, ProcessLimits
from l2sweep.process.forked import ForkedProcess, ForkServer, UnsafeToForkError
from l2sweep.process.fresh import FreshInterpreter

StartProcess = Callable[[PointRequest, ProcessLimits, OnOutput], BenchProcess]


class ProcessStarter:
    """Starts benchmark processes for the points of a sweep, and ends what serves them.

    Args:
        isolation: ``forkserver``, ``spawn`` (a fresh interpreter), or ``auto``: forked where that is safe.
    """

    def __init__(self, isolation: str) -> None:
        self.isolation = isolation
        self._server: ForkServer | None = None

    def __enter__(self) -> ProcessStarter:
        """Begin; nothing is started before it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the fork server."""
        self.close()

    def start_server(self) -> None:
        """Start the fork server before the first process is needed: its imports take over a second."""
        self._living_server()

    def start(self, request: PointRequest, limits: ProcessLimits, on_output: OnOutput) -> BenchProcess:
        """Start a process.

        Raises:
            UnsafeToForkError: ``forkserver`` was asked for where it is not safe.
        """
        if self.isolation == "spawn" or limits.python is not None:
            return FreshInterpreter(request, limits, on_output)
        try:
            return ForkedProcess(self._living_server(), request, limits, on_output)
        except UnsafeToForkError:
            if self.isolation == "forkserver":
                raise
            self.close()
            self.isolation = "spawn"
        except BenchError:
            self.close()  # it died between two points: a new one serves the next
        return FreshInterpreter(request, limits, on_output)

    def _living_server(self) -> ForkServer:
        if self._server is not None and not self._server.alive:
            self.close()
        if self._server is None:
            self._server = ForkServer()
        return self._server

    def close(self) -> None:
        """End the fork server."""
        if self._server is not None:
            self._server.close()
            self._server = None
