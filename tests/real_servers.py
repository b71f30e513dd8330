"""Real servers whose faults a test decides: they are frozen, killed, started again, and filled."""

from __future__ import annotations

import contextlib
import http.client
import re
import secrets
import signal
import subprocess
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from conftest import require, wait_for

from l2sweep.errors import RequestError
from l2sweep.services.folders import ServerFolder
from l2sweep.services.ports import free_ports
from l2sweep.services.redis_server import RedisService
from l2sweep.services.s3_service import S3Service
from l2sweep.services.seaweedfs import SeaweedService
from l2sweep.services.service import Service
from l2sweep.services.signed_requests import S3Credentials, S3Request
from l2sweep.sweep.checks.probe import probe_problem


class RealServer(ABC):
    """A server that outlives its faults: its data are files, and it starts again with them.

    Args:
        kind: Which service.
        folder: The folder in which it gets a folder of its own.
        options: More options of its program.
    """

    def __init__(self, kind: type[Service], folder: Path, *options: str) -> None:
        try:
            kind.find_program()
        except RequestError as error:
            require(False, str(error))
        self.secret = secrets.token_hex(16)
        own_folder = ServerFolder.make(folder)
        own_folder.lock.close()  # the folder of a test needs none
        self.service = kind(own_folder, free_ports(kind.num_ports), self.secret)
        self._command = [*self.service.command(), *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, is_full: bool = False) -> None:
        """Start it with its data, and wait until it can be used.

        Args:
            options: Options of its program for this time only.
            is_full: Whether it will refuse new data.
        """
        data, log = self.service.folder.data, self.service.folder.log
        with log.open("ab") as output:
            command = [*self._command, *options]
            self._process = subprocess.Popen(command, cwd=data, stdout=output, stderr=output)
        wait_for(lambda: self._is_ready(is_full) or None)

    def freeze(self) -> None:
        """Stop its process without an end: connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, and wait until its port is free."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def spec(self, adapter_type: str) -> dict[str, Any]:
        """Return the adapter spec that uses it.

        Args:
            adapter_type: Type of the adapter.
        """
        return {"type": adapter_type, **self.service.spec_fields(adapter_type)}

    @abstractmethod
    def count(self) -> int:
        """Return how many keys or objects it has."""

    @abstractmethod
    def fill(self) -> None:
        """Let it refuse new data, and keep what it has."""

    @abstractmethod
    def drain(self) -> None:
        """Let it accept new data again."""

    @abstractmethod
    def _is_ready(self, is_full: bool) -> bool:
        """Return whether it answers, and accepts data unless it is full."""

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class RealRedis(RealServer):
    """Redis with a file of its changes, so that keys outlive its process. It serves resp and valkey."""

    def __init__(self, folder: Path) -> None:
        super().__init__(RedisService, folder, "--appendonly", "yes")

    def count(self) -> int:
        """Return how many keys it has."""
        with self._client() as client:
            return int(client.dbsize())  # type: ignore[arg-type]

    def fill(self) -> None:
        """Let it refuse new data: there is room for the first keys of a run at most."""
        with self._client() as client:
            used = int(client.info("memory")["used_memory"])  # type: ignore[index]
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", used + (1 << 20))

    def drain(self) -> None:
        """Let it accept new data again."""
        with self._client() as client:
            client.config_set("maxmemory", 0)

    def _client(self) -> redis.Redis:
        return redis.Redis(port=self.service.ports[0], password=self.secret)

    def _is_ready(self, is_full: bool) -> bool:
        with self._client() as client:
            try:
                return bool(client.ping())
            except redis.ConnectionError:  # BusyLoadingError is one
                return False


class RealSeaweed(RealServer):
    """SeaweedFS, which keeps objects in files."""

    service: S3Service

    def __init__(self, folder: Path) -> None:
        (self._metrics_port,) = free_ports(1)
        super().__init__(SeaweedService, folder, f"-metricsPort={self._metrics_port}")

    def found_heads(self) -> int:
        """Return how many requests for the head of an object it has answered with 200.

        SeaweedFS counts them as GET, with those for the bucket. A load of an object is answered with 206.
        """
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        found = [
            line for line in lines if re.match(r'SeaweedFS_s3_request_total.*code="200",type="GET"', line)
        ]
        return sum(int(float(line.rpartition(" ")[2])) for line in found)

    def count(self) -> int:
        """Return how many objects the bucket has."""
        keys = S3Credentials("us-east-1", self.service.access_key_id, self.secret)
        request = S3Request("GET", self.service.endpoint, query="list-type=2&max-keys=1000")
        connection = http.client.HTTPConnection(self.service.endpoint, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", f"/?{request.query}", headers=request.headers(keys, datetime.now(UTC)))
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
        return len(re.findall(rb"<Key>", body))

    def fill(self) -> None:
        """Let it refuse new data: its disk counts as full, and its volumes become read-only."""
        self.kill()
        self.start("-volume.minFreeSpace=100", is_full=True)

    def drain(self) -> None:
        """Let it accept new data again."""
        self.kill()
        self.start()

    def _is_ready(self, is_full: bool) -> bool:
        try:
            if not is_full:
                self.service.set_up()
        except OSError:
            return False
        return not probe_problem(self.spec("s3"))


@contextlib.contextmanager
def running(server: RealServer) -> Iterator[RealServer]:
    """Run a server, and end it whatever its state is."""
    server.start()
    try:
        yield server
    finally:
        server.kill()
        for path in server.service.files_outside():
            Path(path).unlink(missing_ok=True)
