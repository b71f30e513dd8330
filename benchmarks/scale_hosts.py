"""Measure what several hosts cost, on emulated hosts: network namespaces with a delay between them.

The emulated hosts have one clock. The true offset of their clocks is 0, so each estimated offset is an error,
which must be within its bound.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from round_costs import added_ms, round_costs

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))
from emulated_hosts import emulated_hosts, why_impossible  # noqa: E402

_PORT = 29500


def hosts_costs(hosts: Sequence[int], delays_ms: Sequence[int], rounds: int) -> None:
    """Print start skew, clock offset with its error bound, and added time of emulated hosts with a delay."""
    if why := why_impossible():
        raise SystemExit(f"hosts cannot be emulated: {why}")
    parts = [measure(1, 0, rounds)]
    parts += [measure(number, delay_ms, rounds) for delay_ms in delays_ms for number in hosts]
    measured = pd.concat(parts)
    by = ["delay_ms", "hosts"]
    table = round_costs(measured, by)
    table["added_ms"] = added_ms(table)
    others = measured[measured["client"] > 0].groupby(by)
    table["offset_median_ms"] = others["clock_offset_s"].agg(lambda values: 1000 * values.abs().median())
    table["offset_max_ms"] = others["clock_offset_s"].agg(lambda values: 1000 * values.abs().max())
    table["bound_max_ms"] = others["clock_error_s"].max() * 1000
    outside = measured["clock_offset_s"].abs() > measured["clock_error_s"]
    table["beyond_bound"] = outside.groupby([measured[name] for name in by]).sum()
    print(f"one client of mock on each host, {rounds} rounds of each phase of 1 key of 4 KiB")
    print(table.round(3).to_string())


def measure(hosts: int, delay_ms: int, rounds: int) -> pd.DataFrame:
    """Run a sweep of one point on emulated hosts, and return its rounds.

    Args:
        hosts: Number of hosts.
        delay_ms: Delay of a packet from one host to another, in milliseconds.
        rounds: Measured rounds of each phase.
    """
    options = ["adapter=mock", "num_keys=1", "data_size_kb=4", f"rounds={rounds}", "warmup_rounds=5"]
    options += ["quiet=true", f"hosts={hosts}"]
    with (
        tempfile.TemporaryDirectory() as folder,
        emulated_hosts(hosts, delay_ms / 1000) as network,
    ):
        address = f"{network.hosts[0].address}:{_PORT}"
        token = secrets.token_hex(16)
        workers = []
        for rank, host in enumerate(network.hosts):
            own = Path(folder, host.name)
            own.mkdir()
            command = [sys.executable, "-m", "l2sweep", "worker", "--rendezvous", address]
            command += ["--rank", str(rank), "--size", str(hosts), *(["--", *options] if rank == 0 else [])]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "L2SWEEP_TOKEN": token}
            environment["L2SWEEP_LOCK_DIR"] = str(own)
            workers.append(
                subprocess.Popen(host.command(*command), cwd=own, env=environment, stdout=subprocess.DEVNULL)
            )
        codes = [worker.wait() for worker in workers]
        if any(codes):
            raise SystemExit(f"{hosts} hosts, {delay_ms} ms: the workers ended with {codes}")
        measured = l2sweep.load_rounds(Path(folder, network.hosts[0].name, "results"))
    return measured.assign(delay_ms=delay_ms)
