"""Measure the time and the peak memory of planning 100, 1,000 and 10,000 points (``dry_run=true``).

    python benchmarks/planning.py

Goal: less than 10 s for 1,000 points, and memory that does not grow by a whole configuration per point.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent


def plan(points: int) -> tuple[float, float]:
    """Plan a sweep in a new process, and return the seconds and the peak MiB that it takes."""
    seeds = f"seed=range({points})"
    code = (
        "import resource, subprocess, sys\n"
        f"subprocess.run([sys.executable, '-m', 'l2sweep', '-m', '{seeds}', 'dry_run=true'],"
        " stdout=subprocess.DEVNULL, check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
        return time.perf_counter() - start, float(done.stdout)


def main() -> None:
    """Plan sweeps of increasing size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, nargs="+", default=[100, 1_000, 10_000])
    print(f"{'points':>8} {'seconds':>9} {'peak MiB':>9}")
    for points in parser.parse_args().points:
        seconds, peak_mib = plan(points)
        print(f"{points:>8} {seconds:>9.2f} {peak_mib:>9.0f}")


if __name__ == "__main__":
    main()
