"""Faults that a running sweep meets: dead and stopped processes, lost output, full disks, removed folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chaos.processes import Output, child_of, has_signal
from conftest import children, l2sweep_environment, wait_for

KILLED, STOPPED = -signal.SIGKILL, 130
_FILLER = "filler"
_RESUMED_AFTER_S = 0.7


@dataclass(frozen=True)
class Target:
    """A running l2sweep.

    Attributes:
        launcher: Its process.
        output: Its standard output and standard error.
        folder: Folder of the trial: ``results`` and the adapter's ``kv`` are in it.
    """

    launcher: subprocess.Popen[bytes]
    output: Output
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def process(self, role: str) -> int | None:
        """Return the process of a role (launcher, server, bench); None if there is none now."""
        server = child_of(self.launcher.pid, "l2sweep.bench.fork_server")
        if role == "bench":
            return None if server is None else next(iter(children(server)), None)
        return self.launcher.pid if role == "launcher" else server

    def signal(self, role: str, number: int) -> None:
        """Send a signal to the process of a role. Do nothing if it has ended."""
        pid = self.process(role)
        if pid is not None and (role != "launcher" or self.launcher.poll() is None):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        name: What happens.
        strike: Makes it happen.
        exit_codes: Exit codes of the launcher that are allowed besides 0: it may have ended before.
        removes_records: Whether it removes rows, so that they are lost by its own doing.
        needs_mount: Folder of the trial that must be a small file system.
        stdout: Where standard output and standard error go; None: a pipe that is read.
    """

    name: str
    strike: Callable[[Target], None]
    exit_codes: frozenset[int]
    removes_records: bool = False
    needs_mount: str | None = None
    stdout: str | None = None


def mend(folder: Path) -> None:
    """End the faults that outlast a run: full disks."""
    for place in ("results", "kv"):
        (folder / place / _FILLER).unlink(missing_ok=True)


def _kill(*roles: str) -> Fault:
    def strike(target: Target) -> None:
        pids = [pid for role in roles if (pid := target.process(role)) is not None]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    allowed = {KILLED} if "launcher" in roles else {1}
    return Fault(f"kill {' and '.join(roles)}", strike, frozenset(allowed))


def _kill_twice(role: str) -> Fault:
    def strike(target: Target) -> None:
        target.signal(role, signal.SIGKILL)
        time.sleep(_RESUMED_AFTER_S)
        target.signal(role, signal.SIGKILL)

    return Fault(f"kill {role} twice", strike, frozenset({1}))


def _kill_in_compaction(target: Target) -> None:
    """Kill the launcher as soon as it compacts the records, if it comes to that."""
    while target.launcher.poll() is None and not list(target.results.glob("sweeps/*/compacting-*")):
        time.sleep(0.001)
    target.signal("launcher", signal.SIGKILL)


def _pause(role: str) -> Fault:
    def strike(target: Target) -> None:
        pid = target.process(role)
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(_RESUMED_AFTER_S)
            os.kill(pid, signal.SIGCONT)

    return Fault(f"stop and continue {role}", strike, frozenset({1}))


def _freeze_bench(target: Target) -> None:
    target.signal("bench", signal.SIGSTOP)


def _ask_to_stop(number: signal.Signals, times: int) -> Fault:
    def strike(target: Target) -> None:
        # Until l2sweep handles signals, while the interpreter starts, they end Python in its own way.
        launcher = target.launcher
        wait_for(
            lambda: launcher.poll() is not None or has_signal(launcher.pid, "SigCgt", signal.SIGTERM) or None
        )
        for _ in range(times):
            target.signal("launcher", number)
            time.sleep(0.05)

    return Fault(f"{number.name} x{times}", strike, frozenset({STOPPED}))


def _close_output(target: Target) -> None:
    target.output.close()


def _fill(place: str) -> Fault:
    def strike(target: Target) -> None:
        with contextlib.suppress(OSError), (target.folder / place / _FILLER).open("wb", buffering=0) as file:
            while True:
                file.write(b"\1" * 4096)

    return Fault(f"full disk below {place}", strike, frozenset({1, 2}), needs_mount=place)


def _remove(*parts: str) -> Fault:
    def strike(target: Target) -> None:
        for part in parts:
            for path in target.results.glob(part):
                shutil.rmtree(path, ignore_errors=True)

    # 2: there was nothing to resume yet
    return Fault(f"remove {', '.join(parts)}", strike, frozenset({1, 2}), removes_records=True)


def _run_a_second(target: Target) -> None:
    """Resume the sweep that is running, as if the lock of the host did not exist."""
    other = target.folder / "other"
    other.mkdir(exist_ok=True)
    target.output.add(
        subprocess.run(
            [sys.executable, "-m", "l2sweep", "resume=latest", "lock=off"],
            cwd=target.folder,
            env=l2sweep_environment(other),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        ).stdout
    )


def _nothing(target: Target) -> None:
    """The fault is there from the start."""


FAULTS = (
    *(_kill(role) for role in ("launcher", "launcher", "server", "bench")),
    _kill("launcher", "server"),
    _kill("server", "bench"),
    _kill("launcher", "bench"),
    Fault("kill launcher in its compaction", _kill_in_compaction, frozenset({KILLED})),
    *(_kill_twice(role) for role in ("server", "bench")),
    *(_pause(role) for role in ("launcher", "server", "bench")),
    Fault("stop bench for ever", _freeze_bench, frozenset({1})),
    *(_ask_to_stop(number, times) for number in (signal.SIGINT, signal.SIGTERM) for times in (1, 2, 3)),
    Fault("close output", _close_output, frozenset({1})),
    Fault("output to a full device", _nothing, frozenset({1}), stdout="/dev/full"),
    Fault("two resumes at once", _run_a_second, frozenset({1, 2})),
    _fill("results"),
    _fill("kv"),
    _remove("rounds", "points", "sweeps"),
    _remove("points"),
    _remove("rounds"),
    _remove("sweeps/*"),
)
