"""Emulate hosts on this machine: network namespaces on a bridge, each with an address and a host name.

Tests use it, and ``benchmarks/scale.py``. It takes Linux, root, and ``ip`` (Debian: iproute2):

    with emulated_hosts(2, delay_s=0.001) as network:
        first, second = network.hosts
        subprocess.run(second.command("python", "-m", "l2sweep", "worker", ...))
        network.cut(second)

The bridge is in a namespace, too, so that nothing of it is seen by the machine, and several networks can have
the same addresses. The hosts reach each other, but neither the machine nor the internet. They share its
clock, its processors, its files and its process ids.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CABLES = Path(__file__).with_name("delayed_cables.py")
_NAMESPACES = Path("/run/netns")
_PREFIX = "emulated"
# Becomes a host of this name, and then the command: same process id, so that signals reach the command.
_AS_HOST = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"')


@dataclass(frozen=True)
class EmulatedHost:
    """A host that is a network namespace.

    Args:
        name: Its host name.
        namespace: Name of the network namespace, for ``ip -n``.
        address: Its IPv4 address.
        port: Name of the bridge's end of its cable.
    """

    name: str
    namespace: str
    address: str
    port: str

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs a command on this host.

        The process that is started becomes the command: a signal to it reaches the command.

        Args:
            arguments: The command and its arguments.
        """
        return ["ip", "netns", "exec", self.namespace, *_AS_HOST, self.name, *arguments]


@dataclass(frozen=True)
class EmulatedNetwork:
    """Hosts that reach each other over a bridge.

    Args:
        hosts: The hosts.
        bridge: Name of the network namespace of the bridge.
    """

    hosts: tuple[EmulatedHost, ...]
    bridge: str

    def cut(self, host: EmulatedHost) -> None:
        """Unplug a host: no packet reaches or leaves it until ``mend``. Connections are not closed by this.

        Args:
            host: The host to cut off.
        """
        _ip("-n", self.bridge, "link", "set", host.port, "down")

    def mend(self, host: EmulatedHost) -> None:
        """Plug a host in again.

        Args:
            host: The host that was cut off.
        """
        _ip("-n", self.bridge, "link", "set", host.port, "up")


@contextlib.contextmanager
def emulated_hosts(number: int, delay_s: float = 0.0) -> Iterator[EmulatedNetwork]:
    """Make hosts, and remove them at the end. Processes that still run on them are killed.

    With a delay, a process between host and bridge holds back what a host sends (``delayed_cables.py``).
    ``tc netem`` would do the same in the kernel, but kernels of virtual machines are often built without it.

    Args:
        number: Number of hosts, at most 250.
        delay_s: Delay of each packet from one host to another, in seconds. An answer comes after twice that.

    Raises:
        OSError: ``ip`` or the right to use it is missing (see ``why_impossible``).
    """
    _remove_those_of_dead_processes()
    network = _named(number)
    with contextlib.ExitStack() as undo:
        for namespace in (network.bridge, *(host.namespace for host in network.hosts)):
            _ip("netns", "add", namespace)
            undo.callback(_remove, namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", network.bridge, "link", "add", "bridge", "type", "bridge")
        _ip("-n", network.bridge, "link", "set", "bridge", "up")
        if delay_s:
            undo.enter_context(_delayed_cables(network, delay_s))
        else:
            _cables(network)
        for host in network.hosts:
            _ip("-n", network.bridge, "link", "set", host.port, "master", "bridge", "up")
            _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
            _ip("-n", host.namespace, "link", "set", "eth0", "up")
        yield network


@functools.cache
def why_impossible() -> str:
    """Return why hosts cannot be emulated on this machine; "" if they can.

    It tries it, with delayed cables, because containers differ in what they allow.
    """
    if missing := [command for command in ("ip", "unshare", "hostname") if not shutil.which(command)]:
        return f"{', '.join(missing)} missing (Debian: apt-get install iproute2 util-linux hostname)"
    try:
        with emulated_hosts(1, delay_s=0.001) as network:
            subprocess.run(network.hosts[0].command("true"), check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made here: {str(error.stderr).strip()}"
    except OSError as error:
        return f"network namespaces cannot be made here: {error}"
    return ""


def _named(number: int) -> EmulatedNetwork:
    stem = f"{_PREFIX}-{os.getpid()}-{secrets.token_hex(3)}"
    hosts = tuple(
        EmulatedHost(f"emulated{index}", f"{stem}-{index}", f"10.213.0.{index + 1}", f"port{index}")
        for index in range(number)
    )
    return EmulatedNetwork(hosts, f"{stem}-bridge")


def _cables(network: EmulatedNetwork) -> None:
    for host in network.hosts:
        other_end = ("peer", "name", "eth0", "netns", host.namespace)
        _ip("-n", network.bridge, "link", "add", host.port, "type", "veth", *other_end)


@contextlib.contextmanager
def _delayed_cables(network: EmulatedNetwork, delay_s: float) -> Iterator[None]:
    command = [sys.executable, "-S", str(_CABLES), str(delay_s), *(host.port for host in network.hosts)]
    with subprocess.Popen(
        ["ip", "netns", "exec", network.bridge, *command],
        stdin=subprocess.PIPE,  # it ends when this is closed: also if this process is killed
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as cables:
        assert cables.stdin
        assert cables.stdout
        assert cables.stderr
        if cables.stdout.readline() != "ready\n":
            raise OSError(f"no delayed cables: {cables.stderr.read().strip()}")
        try:
            for host in network.hosts:
                cable = f"{host.port}-eth0"
                _ip("-n", network.bridge, "link", "set", cable, "netns", host.namespace, "name", "eth0")
            yield
        finally:
            cables.stdin.close()


def _remove(namespace: str) -> None:
    with contextlib.suppress(subprocess.CalledProcessError):  # somebody else has removed it
        for process in _ip("netns", "pids", namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        _ip("netns", "delete", namespace)


def _remove_those_of_dead_processes() -> None:
    for namespace in sorted(_NAMESPACES.glob(f"{_PREFIX}-*-*")):
        if not Path("/proc", namespace.name.split("-")[1]).exists():
            _remove(namespace.name)


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
