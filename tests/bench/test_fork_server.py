"""The fork server up to the fork itself, which only tests with processes cover."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
import torch

from l2sweep.bench import fork_server
from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.fork_server import PACKET_BYTES, Libraries, serve


class FakeLibraries(Libraries):
    """Libraries that are imported already, with which forking is not safe.

    Args:
        reason: Why forking is not safe.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.types: list[str] = []

    def import_adapters(self, adapter_types: object) -> None:
        self.types += list(adapter_types)  # type: ignore[call-overload]

    def why_unsafe(self) -> str:
        return self._reason


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    launcher, server = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with launcher, server:
        yield launcher, server


def test_the_server_ends_when_the_launcher_closes_the_socket(
    sockets: tuple[socket.socket, socket.socket], log: LogWatch
) -> None:
    launcher, server = sockets
    launcher.close()
    serve(server, log, FakeLibraries(""))


def test_the_server_answers_why_forking_is_not_safe_and_ends(
    sockets: tuple[socket.socket, socket.socket], log: LogWatch
) -> None:
    launcher, server = sockets
    packet = {"number": 7, "adapter_types": ["fs"], "lmcache_log_level": "WARNING"}
    launcher.send(json.dumps(packet).encode())
    libraries = FakeLibraries("CUDA is initialised")
    serve(server, log, libraries)
    assert json.loads(launcher.recv(PACKET_BYTES)) == {"number": 7, "danger": "CUDA is initialised"}
    assert libraries.types == ["fs"]


@pytest.mark.parametrize(
    ("cuda", "threads", "reason"),
    [
        (False, {"main", "openblas"}, ""),
        (False, {"main"}, ""),
        (True, {"main"}, "CUDA is initialised"),
        (False, {"main", "new"}, "threads of unknown origin after the imports: 1"),
    ],
)
def test_forking_is_safe_without_cuda_and_unknown_threads(
    cuda: bool, threads: set[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = Libraries.__new__(Libraries)
    libraries._known_threads = {"main", "openblas"}
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: cuda)
    monkeypatch.setattr(fork_server, "_threads", lambda: threads)
    assert libraries.why_unsafe() == reason
