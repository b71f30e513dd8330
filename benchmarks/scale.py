"""Measure what clients cost: how far apart they start, and what each round takes besides its duration.

    python benchmarks/scale.py --clients 1,2,4,8,16 --rounds 50
    python benchmarks/scale.py --adapter valkey

Each number of clients is a point of one sweep, with 1 key of 4 KiB in a submit, so that a round is short and
the rest shows. The control adapter and ``mock`` keep their data in the memory of each process; ``valkey``
starts one server for all of them (``service=auto``). With more clients than processors, a client also waits
for a processor: that is part of its start skew.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent
_ROUND = ["clients", "phase", "round"]


def measure(adapter: str, clients: str, rounds: int, folder: Path) -> pd.DataFrame:
    """Run the sweep, and return its rounds, one row for each client.

    Args:
        adapter: Name of the adapter.
        clients: Numbers of clients, separated by commas.
        rounds: Measured rounds of each phase.
        folder: Folder for the records.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "L2SWEEP_LOCK_DIR": str(folder)}
    options = ["num_keys=1", "data_size_kb=4", f"rounds={rounds}", "warmup_rounds=5", "quiet=true"]
    options += ["service=auto"] if adapter in ("valkey", "resp", "s3") else []
    command = [sys.executable, "-m", "l2sweep", "-m", f"adapter={adapter}", f"clients={clients}", *options]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    measured = l2sweep.load_rounds(folder / "results")
    return measured[~measured["is_warmup"]]


def costs(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the start skew and the time between two rounds, for each number of clients.

    Args:
        measured: Rows of ``rounds``, one for each client.
    """
    ends = measured["started_at"] + pd.to_timedelta(measured["duration_s"], unit="s")
    together = measured.assign(ended_at=ends).groupby(_ROUND, as_index=False)
    rounds = together.agg(
        skew_s=("start_skew_s", "max"), began=("started_at", "min"), ended=("ended_at", "max")
    )
    before = rounds.groupby(["clients", "phase"])["ended"].shift()
    rounds["between_s"] = (rounds["began"] - before).dt.total_seconds()
    rounds["took_s"] = (rounds["ended"] - rounds["began"]).dt.total_seconds()
    table = rounds.groupby("clients").agg(
        skew_median_ms=("skew_s", lambda values: 1000 * values.median()),
        skew_p95_ms=("skew_s", lambda values: 1000 * values.quantile(0.95)),
        skew_max_ms=("skew_s", lambda values: 1000 * values.max()),
        round_median_ms=("took_s", lambda values: 1000 * values.median()),
        between_median_ms=("between_s", lambda values: 1000 * values.median()),
    )
    return table.assign(added_ms=table["between_median_ms"] - table["between_median_ms"].iloc[0])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--adapter", default="mock")
    parser.add_argument("--clients", default="1,2,4,8,16")
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(arguments.adapter, arguments.clients, arguments.rounds, Path(folder))
    print(
        f"adapter={arguments.adapter}, {arguments.rounds} rounds of each phase, {os.cpu_count()} processors"
    )
    print(costs(measured).round(2).to_string())


if __name__ == "__main__":
    main()
