"""Emulated hosts reach each other, with a delay, and can be cut off: other tests rely on it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from emulated_hosts import EmulatedHost, EmulatedNetwork, emulated_hosts

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("namespaces")]

SERVER = """
    import socket, sys
    server = socket.create_server((sys.argv[1], 5000))
    print("listens", flush=True)
    while True:
        connection, _ = server.accept()
        connection.sendall(socket.gethostname().encode())
        connection.close()
"""
CLIENT = """
    import socket, sys, time
    before = time.monotonic()
    try:
        connection = socket.create_connection((sys.argv[1], 5000), timeout=float(sys.argv[2]))
        took = time.monotonic() - before
        print(connection.recv(100).decode(), took)
    except OSError:
        print("nobody", 0)
"""


def python(host: EmulatedHost, code: str, *arguments: str) -> list[str]:
    return host.command(sys.executable, "-c", textwrap.dedent(code), *arguments)


@contextlib.contextmanager
def serve(host: EmulatedHost) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(python(host, SERVER, host.address), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdout.readline() == "listens\n"
        try:
            yield server
        finally:
            server.kill()


def ask(asking: EmulatedHost, asked: EmulatedHost, wait_s: float = 60.0) -> tuple[str, float]:
    """Return the name that a host answers with, and how long it took to connect."""
    command = python(asking, CLIENT, asked.address, str(wait_s))
    name, took = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return name, float(took)


def remaining(network: EmulatedNetwork) -> list[str]:
    every = (network.bridge, *(host.namespace for host in network.hosts))
    return [namespace for namespace in every if Path("/run/netns", namespace).exists()]


@pytest.mark.parametrize("delay_s", [0.0, 0.02])
def test_hosts_reach_each_other_after_the_delay_and_leave_nothing_behind(delay_s: float) -> None:
    with emulated_hosts(3, delay_s) as network:
        *_, asking, asked = network.hosts
        with serve(asked):
            name, took_s = ask(asking, asked)
            assert name == asked.name == "emulated2"
            assert took_s >= 2 * delay_s
    assert remaining(network) == []


@pytest.mark.parametrize("delay_s", [0.0, 0.001])
def test_a_host_that_is_cut_off_is_not_reached_until_it_is_mended(delay_s: float) -> None:
    with emulated_hosts(2, delay_s) as network:
        asking, asked = network.hosts
        with serve(asked):
            network.cut(asked)
            assert ask(asking, asked, wait_s=0.5)[0] == "nobody"
            network.mend(asked)
            assert ask(asking, asked)[0] == asked.name


def test_two_networks_with_the_same_addresses_do_not_meet() -> None:
    with emulated_hosts(2) as one, emulated_hosts(2) as other:
        assert one.hosts[0].address == other.hosts[0].address
        with serve(one.hosts[0]):
            assert ask(other.hosts[1], other.hosts[0], wait_s=0.5)[0] == "nobody"


def test_a_process_that_still_runs_on_a_host_is_killed_with_it() -> None:
    with contextlib.ExitStack() as later:
        with emulated_hosts(1) as network:
            server = later.enter_context(serve(network.hosts[0]))
        assert server.wait(timeout=60) == -signal.SIGKILL


def test_namespaces_of_a_process_that_was_killed_are_removed_by_the_next() -> None:
    code = """
        import os, signal
        from emulated_hosts import emulated_hosts
        with emulated_hosts(2, delay_s=0.001) as network:
            print(network.bridge, *(host.namespace for host in network.hosts), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    left = [Path("/run/netns", name) for name in done.stdout.split()]
    assert len(left) == 3
    with emulated_hosts(1):
        assert [path for path in left if path.exists()] == []
