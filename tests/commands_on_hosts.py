"""Commands on emulated hosts: workers and launchers, each in the folder of its host."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import children, l2sweep_environment, require
from emulated_hosts import EmulatedHost, EmulatedNetwork, emulated_hosts, why_impossible

PORT = 29500
TOKEN = "a token of the tests of hosts"
_SOON_S = 180.0  # several interpreters import torch at the same time


def soon(look: Callable[[], object]) -> None:
    """Wait until a function returns something true."""
    give_up_at = time.monotonic() + _SOON_S
    while not look():
        if time.monotonic() > give_up_at:
            pytest.fail(f"it did not happen within {_SOON_S:.0f} s")
        time.sleep(0.02)


@dataclass
class Ended:
    """A command that has ended."""

    exit_code: int
    out: str
    err: str


def _own_group() -> None:
    """Handle SIGINT, which a background process of a shell ignores, and begin a group of processes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setpgrp()


class Running:
    """A command that runs on a host. Its output goes to files, so nobody has to read it while it runs.

    Args:
        command: The command.
        folder: Its current folder.
        name: Names its files.
        environment: Its environment.
    """

    def __init__(self, command: Sequence[str], folder: Path, name: str, environment: dict[str, str]) -> None:
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                preexec_fn=_own_group,
            )

    @property
    def pid(self) -> int:
        """The process of the command: ``ip`` and ``unshare`` have become it."""
        return self._process.pid

    @property
    def out(self) -> str:
        """What it has printed."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it has printed as errors."""
        return self._err.read_text()

    @property
    def text(self) -> str:
        """All that it has printed, in one line: the terminal of a test is narrow."""
        return " ".join((self.out + self.err).split())

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def prints(self, text: str) -> None:
        """Wait until it has printed a text."""
        soon(lambda: text in self.out + self.err or not self.is_running)
        assert text in self.out + self.err, self.out + self.err

    def ended(self, limit_s: float = 300) -> Ended:
        """Wait for its end."""
        code = self._process.wait(limit_s)
        return Ended(code, self.out, self.err)

    def kill(self) -> None:
        """End it and what it has started."""
        found = descendants(self.pid)
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


@dataclass
class Host:
    """An emulated host with a folder of its own.

    Attributes:
        emulated: The host.
        network: Its network.
        folder: The current folder of its commands.
    """

    emulated: EmulatedHost
    network: EmulatedNetwork
    folder: Path
    _running: list[Running] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its host name."""
        return self.emulated.name

    @property
    def rendezvous(self) -> str:
        """Where a launcher on this host listens."""
        return f"{self.emulated.address}:{PORT}"

    def start_worker(self, launcher: Host, rank: int, size: int, *flags: str, **environment: str) -> Running:
        """Start a worker on the host, for a launcher on another one."""
        place = ("--rendezvous", launcher.rendezvous, "--rank", str(rank), "--size", str(size))
        return self.start("worker", *place, *flags, **environment)

    def start(self, *arguments: str, **environment: str) -> Running:
        """Start ``python -m l2sweep`` on the host."""
        own = l2sweep_environment(self.folder, **{"L2SWEEP_TOKEN": TOKEN, **environment})
        return self.run([sys.executable, "-m", "l2sweep", *arguments], own)

    def run(self, command: Sequence[str], environment: dict[str, str]) -> Running:
        """Start a command on the host."""
        name = f"run-{len(self._running)}"
        started = Running(self.emulated.command(*command), self.folder, name, environment)
        self._running.append(started)
        return started

    def cut_off(self) -> None:
        """Let no packet reach the host or leave it."""
        self.network.cut(self.emulated)

    def reconnect(self) -> None:
        """Connect the host again."""
        self.network.mend(self.emulated)

    def end(self) -> None:
        """End all commands of the host."""
        for one in self._running:
            one.kill()


@contextlib.contextmanager
def connected_hosts(folder: Path, count: int) -> Iterator[list[Host]]:
    """Emulate hosts, and remove them at the end with all that runs on them.

    Args:
        folder: Each host has a folder below it.
        count: Number of hosts.
    """
    require(not why_impossible(), why_impossible())
    with emulated_hosts(count) as network, contextlib.ExitStack() as held:
        hosts = [Host(emulated, network, folder / emulated.name) for emulated in network.hosts]
        for host in hosts:
            host.folder.mkdir()
            held.callback(host.end)
        yield hosts


def descendants(pid: int) -> list[int]:
    """Return the processes below a process."""
    own = children(pid)
    return [*own, *(one for child in own for one in descendants(child))]
