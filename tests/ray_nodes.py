"""A Ray of several nodes on this machine, for tests: each node is a raylet of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from conftest import wait_for

from l2sweep.services.ports import free_ports

_RAY = [sys.executable, "-m", "ray.scripts.scripts"]
_SMALL = ["--num-cpus=1", "--num-gpus=0", f"--object-store-memory={80 << 20}", "--disable-usage-stats"]
_FREE_PORTS = ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]


class RayNodes:
    """A running Ray.

    Args:
        folder: Its folder, with a short path: it holds sockets.

    Attributes:
        address: HOST:PORT of the head.
        environment: What a process needs to connect to it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_TMPDIR": str(folder),
            "RAY_gcs_rpc_server_reconnect_timeout_s": "3",  # the default is a minute
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def add_node(self) -> None:
        """Start a node, the first one as head, and return when it is up."""
        number = len(self._processes)
        host, _, port = self.address.rpartition(":")
        role = (
            ["--head", f"--node-ip-address={host}", f"--port={port}", "--include-dashboard=false"]
            + [f"--temp-dir={self._folder}"]
            if not number
            else [f"--address={self.address}"]
        )
        log = self._folder / f"node-{number}.log"
        with log.open("wb") as output:
            self._processes.append(
                subprocess.Popen(
                    [*_RAY, "start", "--block", *role, *_SMALL, *_FREE_PORTS],
                    env={**os.environ, **self.environment},
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )
        wait_for(
            lambda: 1 if b"Ray runtime started" in log.read_bytes() else self._require_running(number), 300
        )

    def kill(self, number: int) -> None:
        """Kill everything of a node."""
        process = self._processes[number]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _require_running(self, number: int) -> None:
        log = (self._folder / f"node-{number}.log").read_text()
        assert self._processes[number].poll() is None, log

    def close(self) -> None:
        """Kill all nodes, the head last."""
        for number in reversed(range(len(self._processes))):
            self.kill(number)


@contextlib.contextmanager
def ray_nodes(folder: Path, count: int) -> Iterator[RayNodes]:
    """Run a Ray with some nodes in the block."""
    nodes = RayNodes(folder)
    try:
        for _ in range(count):
            nodes.add_node()
        yield nodes
    finally:
        nodes.close()
