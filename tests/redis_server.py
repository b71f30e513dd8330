"""A real Redis server for tests."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import redis
from conftest import require, wait_for


@contextlib.contextmanager
def redis_with_password(folder: Path, password: str) -> Iterator[int]:
    """Run a Redis server that requires a password, and return its port.

    Args:
        folder: Its current folder.
        password: The password.
    """
    server = shutil.which("redis-server")
    require(server, "redis-server is not installed (Debian: apt-get install redis-server)")
    assert server
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--requirepass", password, "--save", ""]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=password) as client:
            wait_for(lambda: _answers(client) or None)
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
