"""What a point costs besides its rounds: l2sweep, l2sweep with a fresh interpreter a point, and a shell loop.

    python benchmarks/overhead.py --points 30

Each runs the same points (4 keys of 64 KiB over files in a temporary folder). The overhead of a point is the
wall time of the whole sweep, less the time within its rounds, divided by the number of points. Goal: at most
0.12 s a hot point, and at least 30 times less than a shell loop of ``lmcache bench l2``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

import l2sweep

ROOT = Path(l2sweep.__file__).resolve().parent.parent
QUIET = {"LMCACHE_DISABLE_BANNER": "1", "LMCACHE_TRACK_USAGE": "false", "LMCACHE_LOG_LEVEL": "ERROR"}
UPSTREAM = "from lmcache.cli.main import main; main()"


def sweep_overhead_s(points: int, isolation: str, folder: Path) -> tuple[float, dict[str, float]]:
    """Return the overhead of a point of a sweep, and where it goes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    seeds = ",".join(str(seed) for seed in range(points))
    options = [f"isolation={isolation}", f"adapter.base_path={folder}/kv", f"seed={seeds}", "quiet=true"]
    command = [sys.executable, "-m", "l2sweep", "-m", "num_keys=4", "data_size_kb=64", *options]
    began_s = time.perf_counter()
    subprocess.run([*command, "dry_run=true"], cwd=folder, env=environment, check=True, capture_output=True)
    planning_s = time.perf_counter() - began_s
    began_s = time.time()
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True)
    wall_s = time.perf_counter() - start
    rounds = l2sweep.load_rounds(folder / "results")
    rows = l2sweep.load_points(folder / "results")
    in_rounds_s = float(rounds["duration_s"].sum())
    in_processes_s = float(rows["wall_s"].sum())
    ends = rounds["started_at"] + pd.to_timedelta(rounds["duration_s"], unit="s")
    of_points = pd.DataFrame(
        {
            "first": rounds.groupby("point_index")["started_at"].min(),
            "last": ends.groupby(rounds["point_index"]).max(),
            "asked": rows.set_index("point_index")["started_at"],
            "gone": (rows["started_at"] + pd.to_timedelta(rows["wall_s"], unit="s")).set_axis(
                rows["point_index"]
            ),
            "create_s": rows.set_index("point_index")["create_s"],
        }
    )
    to_first_s = (of_points["first"] - of_points["asked"]).dt.total_seconds() - of_points["create_s"]
    from_last_s = (of_points["gone"] - of_points["last"]).dt.total_seconds()
    between_s = float((rows["started_at"].diff().dt.total_seconds() - rows["wall_s"].shift()).median())
    before_s = rows["started_at"].iloc[0].timestamp() - began_s
    parts = {
        "before the first point: start, compose, plan, server (once)": before_s,
        "of that, start, compose and plan, beside the server": planning_s,
        "a process, all but its rounds": (in_processes_s - in_rounds_s) / points,
        "of that, fork or start, reading the spec, buffers, first payload": float(to_first_s.median()),
        "of that, creating the adapter": float(rows["create_s"].median()),
        "of that, deleting the keys, closing, the end of the process": float(from_last_s.median()),
        "between two processes: records": between_s,
    }
    return (wall_s - in_rounds_s) / points, parts


def shell_loop_overhead_s(points: int, folder: Path) -> float:
    """Return the overhead of a point of a shell loop of ``lmcache bench l2``."""
    spec = json.dumps({"type": "fs", "base_path": str(folder / "kv")})
    shape = ["--num-keys", "4", "--data-size-kb", "64", "--l1-align-bytes", "4096"]
    command = [sys.executable, "-c", UPSTREAM, "bench", "l2", "--l2-adapter", spec, *shape]
    in_rounds_s = 0.0
    start = time.perf_counter()
    for _ in range(points):
        done = subprocess.run(
            command, env={**os.environ, **QUIET}, check=True, capture_output=True, text=True
        )
        in_rounds_s += sum(map(float, re.findall(r"Round \d+: ([\d.]+) ms", done.stdout))) / 1000
    return (time.perf_counter() - start - in_rounds_s) / points


def main() -> None:
    """Run the three and print seconds a point and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=30, help="points of each sweep")
    parser.add_argument("--shell-points", type=int, default=5, help="points of the shell loop, which is slow")
    arguments = parser.parse_args()
    overheads: dict[str, float] = {}
    for isolation, points in (("forkserver", arguments.points), ("spawn", arguments.shell_points)):
        with tempfile.TemporaryDirectory() as folder:
            overheads[isolation], parts = sweep_overhead_s(points, isolation, Path(folder))
        print(f"l2sweep, isolation={isolation}: {overheads[isolation]:.3f} s a point ({points} points)")
        for name, seconds in parts.items():
            print(f"    {seconds:7.3f} s  {name}")
    with tempfile.TemporaryDirectory() as folder:
        shell_s = shell_loop_overhead_s(arguments.shell_points, Path(folder))
    print(f"shell loop of lmcache bench l2: {shell_s:.3f} s a point ({arguments.shell_points} points)")
    print(f"ratio shell loop / forkserver: {shell_s / overheads['forkserver']:.1f}")
    print(f"ratio spawn / forkserver:      {overheads['spawn'] / overheads['forkserver']:.1f}")


if __name__ == "__main__":
    main()
