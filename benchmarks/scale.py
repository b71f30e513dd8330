"""Measure what clients and hosts cost, and how throughput grows with them.

    python benchmarks/scale.py clients                 # start skew and added time of 1 to 16 clients
    python benchmarks/scale.py curve                   # throughput of mock and valkey with 1 to 16 clients
    python benchmarks/scale.py hosts                   # emulated hosts, 0, 1 and 5 ms apart (root, iproute2)
    python benchmarks/scale.py fleet --hosts 1000      # plan and collect the rows of simulated hosts

With more clients than processors, a client also waits for a processor: that is part of its start skew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import scale_fleet
import scale_hosts
from round_costs import added_ms, round_costs

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent
_SERVED = ("valkey", "resp", "s3")


def run(folder: Path, adapter: str, *options: str) -> None:
    """Run a sweep in a folder.

    Args:
        folder: Folder for the records.
        adapter: Name of the adapter; a server is started for it if it needs one.
        options: Options of the sweep.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "L2SWEEP_LOCK_DIR": str(folder)}
    served = ["service=auto"] if adapter in _SERVED else []
    command = [sys.executable, "-m", "l2sweep", "-m", f"adapter={adapter}", *served, "quiet=true", *options]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def clients_costs(arguments: argparse.Namespace) -> None:
    """Print the start skew and the time between two rounds of short rounds, for each number of clients."""
    short = ("num_keys=1", "data_size_kb=4", f"rounds={arguments.rounds}", "warmup_rounds=5")
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), arguments.adapter, f"clients={arguments.clients}", *short)
        measured = l2sweep.load_rounds(Path(folder) / "results")
    print(f"adapter={arguments.adapter}, {arguments.rounds} rounds of each phase of 1 key of 4 KiB")
    table = round_costs(measured, ["clients"])
    print(table.assign(added_ms=added_ms(table)).round(2).to_string())


def curves(arguments: argparse.Namespace) -> None:
    """Print the rates of each adapter with each number of clients, and the scaling of both beside each other.

    mock keeps its data in the memory of each process: its clients share nothing but this machine.
    """
    sizes = ("num_keys=16", "in_flight=4", "data_size_kb=64", "lookup_max_hit_rate=1")
    options = (*sizes, f"clients={arguments.clients}", f"rounds={arguments.rounds}", "repeats=3")
    scalings = {}
    for adapter in arguments.adapters:
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder), adapter, *options)
            rows, sentences = reported_scaling(Path(folder))
        print(f"adapter={adapter}: {' '.join(options)}")
        print(rows.round(2).to_string(index=False))
        print("\n".join(sentences), end="\n\n")
        scalings[adapter] = rows.set_index(["phase", "clients"])["client_scaling"]
    beside = pd.DataFrame(scalings)
    first, *others = arguments.adapters
    for other in others:
        beside[f"{other}/{first}"] = beside[other] / beside[first]
    print("throughput as a multiple of that of one client")
    print(beside.round(2).to_string())


def reported_scaling(folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the section Scaling of the report of a sweep: its rows, and its sentences.

    Args:
        folder: Folder in which the sweep was run.
    """
    command = [sys.executable, "-m", "l2sweep", "report", "latest", "--json", "report.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    found = json.loads((folder / "report.json").read_text())["scaling"]["curves"]
    rows = [{"phase": curve["phase"], **point} for curve in found for point in curve["points"]]
    shown = ["phase", "clients", "rate", "rate_low", "rate_high", "all_active_rate", "sum_of_client_rates"]
    shown += ["client_fairness", "client_scaling", "skewed_rounds", "client_rounds"]
    return pd.DataFrame(rows)[shown], [curve["sentence"] for curve in found]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print.

    Args:
        given: The command line; None: that of the process.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    what = parser.add_subparsers(required=True)
    one = what.add_parser("clients", help=clients_costs.__doc__)
    one.add_argument("--adapter", default="mock")
    one.add_argument("--clients", default="1,2,4,8,16")
    one.add_argument("--rounds", type=int, default=50)
    one.set_defaults(run=clients_costs)
    one = what.add_parser("curve", help=curves.__doc__)
    one.add_argument("--adapters", nargs="+", default=["mock", "valkey"])
    one.add_argument("--clients", default="1,2,4,8,16")
    one.add_argument("--rounds", type=int, default=10)
    one.set_defaults(run=curves)
    one = what.add_parser("hosts", help=scale_hosts.hosts_costs.__doc__)
    one.add_argument("--hosts", type=_numbers, default=[2, 4])
    one.add_argument("--delays-ms", type=_numbers, default=[0, 1, 5])
    one.add_argument("--rounds", type=int, default=50)
    one.set_defaults(run=lambda own: scale_hosts.hosts_costs(own.hosts, own.delays_ms, own.rounds))
    one = what.add_parser("fleet", help=scale_fleet.fleet_costs.__doc__)
    one.add_argument("--hosts", type=_numbers, default=[10, 100, 1000])
    one.add_argument("--points", type=int, default=2)
    one.set_defaults(run=lambda own: scale_fleet.fleet_costs(own.hosts, own.points))
    arguments = parser.parse_args(given)
    print(f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}", flush=True)
    arguments.run(arguments)
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
