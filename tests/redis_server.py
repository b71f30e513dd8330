"""A real Redis server for tests."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
from conftest import require, wait_for


@dataclass(frozen=True)
class RedisServer:
    """A running server, and a client of it."""

    port: int
    process: subprocess.Popen[bytes]
    client: redis.Redis


@contextlib.contextmanager
def running_redis(
    folder: Path, *options: str, password: str | None = None, port: int | None = None
) -> Iterator[RedisServer]:
    """Run a Redis server.

    Args:
        folder: Its current folder.
        options: More options of redis-server(1).
        password: The password that it requires; None: none.
        port: Its port; None: a free one.
    """
    program = shutil.which("redis-server")
    require(program, "redis-server is not installed (Debian: apt-get install redis-server)")
    assert program
    port = port or _free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
    if password is not None:
        command += ["--requirepass", password]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=password) as client:
            wait_for(lambda: _answers(client) or None)
            yield RedisServer(port, process, client)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


@contextlib.contextmanager
def redis_with_password(folder: Path, password: str) -> Iterator[int]:
    """Run a Redis server that requires a password, and return its port.

    Args:
        folder: Its current folder.
        password: The password.
    """
    with running_redis(folder, password=password) as server:
        yield server.port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
