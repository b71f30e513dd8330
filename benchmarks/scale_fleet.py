"""Measure the launcher of a fleet with many hosts: planning, and collecting and writing their rows."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import simulated_hosts

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent
_ADDRESS = "127.0.0.1"


def fleet_costs(hosts: Sequence[int], points: int) -> None:
    """Print how long the plan of a fleet takes, and how long its rows take until they are recorded."""
    print(f"a fleet of simulated hosts, {points} points of mock on each, 10 rounds of each phase")
    titles = ("hosts", "host-points", "plan s", "join s", "collect s", "CPU s", "CPU ms/h-p", "rows")
    print(" ".join(f"{title:>11}" for title in (*titles, "peak MiB")), flush=True)
    for number in hosts:
        print(" ".join(f"{value:>11}" for value in _fleet(number, points)), flush=True)


def _fleet(hosts: int, points: int) -> list[str]:
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder, socket.create_server((_ADDRESS, 0)) as free:
        port = free.getsockname()[1]
        free.close()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "L2SWEEP_TOKEN": token}
        environment["L2SWEEP_LOCK_DIR"] = folder
        command = [sys.executable, "-m", "l2sweep", "-m", "adapter=mock", "num_keys=4", "data_size_kb=64"]
        command += [f"seed=range({points})", "rounds=10", "quiet=true", "fleet=true"]
        command += [f"cluster.rendezvous={_ADDRESS}:{port}", f"cluster.size={hosts}", "cluster.wait_s=600"]
        begin_s = time.monotonic()
        subprocess.run(
            [*command, "dry_run=true"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        plan_s = time.monotonic() - begin_s
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as launcher:
            used = _Used(launcher.pid)
            _wait_for(port, launcher)
            begin_s = time.monotonic()
            connections = simulated_hosts.join((_ADDRESS, port), hosts, token)
            join_s = time.monotonic() - begin_s
            simulated_hosts.serve(connections)
            code = launcher.wait()
            collect_s = time.monotonic() - begin_s - join_s
        if code:
            raise SystemExit(f"{hosts} hosts: the launcher ended with {code}")
        rows = len(l2sweep.load_rounds(Path(folder) / "results", columns=["status"]))
    measured = hosts * points
    numbers = (hosts, measured, plan_s, join_s, collect_s, used.cpu_s, 1000 * used.cpu_s / measured, rows)
    return [f"{value:.4g}" for value in (*numbers, used.peak_mib)]


def _wait_for(port: int, launcher: subprocess.Popen[bytes]) -> None:
    """Wait until the launcher listens."""
    while launcher.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((_ADDRESS, port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"the launcher ended with {launcher.returncode}")


class _Used:
    """The CPU time and the largest memory of a process without its children, looked at until it ends.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self.cpu_s = self.peak_mib = 0.0
        self._folder = Path("/proc", str(pid))
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        ticks = os.sysconf("SC_CLK_TCK")
        try:
            while found := re.search(r"VmHWM:\s+(\d+) kB", (self._folder / "status").read_text()):
                self.peak_mib = int(found[1]) / 1024
                user, system = (self._folder / "stat").read_text().rpartition(")")[2].split()[11:13]
                self.cpu_s = (int(user) + int(system)) / ticks
                time.sleep(0.1)
        except OSError:  # it has ended
            pass
