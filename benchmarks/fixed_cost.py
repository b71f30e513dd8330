"""Measure what a sweep costs once and what each point costs, and compare two checkouts of l2sweep.

    python benchmarks/fixed_cost.py
    python benchmarks/fixed_cost.py --against ../l2sweep-before --pairs 5

Runs sweeps of 30 and 300 points and a single point as whole processes, over LMCache's mock adapter with
4 keys of 64 KiB. With ``--against``, both checkouts take turns, so that a change of the machine's speed
affects both.
The cost per point is the slope between 30 and 300 points, and the fixed cost is what remains of 30 points.
Prints the median of each figure.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEW, MANY = 30, 300


def wall_s(root: Path, points: int | None) -> float:
    """Return the wall time of a run in seconds.

    Args:
        root: The checkout of l2sweep.
        points: Points of the sweep; None: a single point, without ``-m``.
    """
    options = ["adapter=mock", "num_keys=4", "data_size_kb=64", "quiet=true"]
    if points is not None:
        options += ["-m", f"seed={','.join(map(str, range(points)))}"]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(root), "L2SWEEP_LOCK_DIR": folder}
        start = time.perf_counter()
        command = [sys.executable, "-m", "l2sweep", *options]
        subprocess.run(command, cwd=folder, env=environment, check=True)
        return time.perf_counter() - start


def figures(root: Path) -> dict[str, float]:
    """Return the figures of one checkout, in seconds."""
    single, few, many = wall_s(root, None), wall_s(root, FEW), wall_s(root, MANY)
    per_point = (many - few) / (MANY - FEW)
    return {
        "fixed cost": few - FEW * per_point,
        "cost per point": per_point,
        f"{FEW} points": few,
        f"{MANY} points": many,
        "single point": single,
    }


def main() -> None:
    """Run the pairs and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout of l2sweep")
    parser.add_argument("--pairs", type=int, default=3, help="how often each checkout is measured")
    arguments = parser.parse_args()
    roots = [ROOT] if arguments.against is None else [arguments.against.resolve(), ROOT]
    for root in roots:
        wall_s(root, None)  # writes the bytecode and reads the files into the page cache
    measured = [[figures(root) for root in roots] for _ in range(arguments.pairs)]
    print(
        f"{'seconds':16}"
        + "".join(f"{name:>12}" for name in ["this", "before", "ratio"][: 2 * len(roots) - 1])
    )
    for name in measured[0][0]:
        medians = [
            statistics.median(pair[position][name] for pair in measured) for position in range(len(roots))
        ]
        cells = [f"{medians[-1]:12.3f}"]
        if len(roots) == 2:
            cells += [f"{medians[0]:12.3f}", f"{medians[1] / medians[0]:12.2f}"]
        print(f"{name:16}" + "".join(cells))


if __name__ == "__main__":
    main()
