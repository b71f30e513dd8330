"""Compare the rounds of forked processes with those of new interpreters.

    python benchmarks/isolation.py --turns 3

Runs the same point in turns with ``isolation=spawn`` and ``isolation=forkserver``, over LMCache's fs adapter
in a folder in memory, since the noise of a disk would hide a difference. Prints for each phase the median
durations, their ratio, and the probability that a forked round is slower than a spawned one: 0.5 for the same
distribution (the U of Mann and Whitney divided by the number of pairs).
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
SHAPE = ["num_keys=16", "data_size_kb=1024", "rounds=30", "warmup_rounds=5", "quiet=true"]


def measure(folder: Path, turns: int) -> pd.DataFrame:
    """Return the measured rounds of all turns, with their isolation."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "L2SWEEP_LOCK_DIR": str(folder)}
    for _ in range(turns):
        for isolation in ("spawn", "forkserver"):
            options = [*SHAPE, f"isolation={isolation}", f"adapter.base_path={folder}/kv"]
            command = [sys.executable, "-m", "l2sweep", *options]
            subprocess.run(command, cwd=folder, env=environment, check=True)
    points = l2sweep.load_points(folder / "results")[["sweep_id", "point_index", "isolation"]]
    rounds = l2sweep.load_rounds(folder / "results").merge(points)
    return rounds[~rounds["is_warmup"]]


def main() -> None:
    """Run the turns and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=3, help="how often each isolation is measured")
    arguments = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        rounds = measure(Path(folder), arguments.turns)
    print(f"{'phase':8}{'forked ms':>12}{'spawned ms':>12}{'ratio':>8}{'P(forked is slower)':>22}")
    for phase, rows in rounds.groupby("phase", sort=False):
        forked = rows[rows["isolation"] == "forkserver"]["duration_s"]
        spawned = rows[rows["isolation"] == "spawn"]["duration_s"]
        ranks = pd.concat([forked, spawned]).rank()[: len(forked)]
        slower = (ranks.sum() - len(forked) * (len(forked) + 1) / 2) / (len(forked) * len(spawned))
        medians = forked.median() * 1000, spawned.median() * 1000
        print(f"{phase:8}{medians[0]:12.3f}{medians[1]:12.3f}{medians[0] / medians[1]:8.2f}{slower:22.2f}")


if __name__ == "__main__":
    main()
