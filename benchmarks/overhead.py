"""Measure the overhead of a point: its time without its rounds.

    python benchmarks/overhead.py --points 30

Compares l2sweep with forked processes, l2sweep with a new interpreter per point, and a shell loop of
``lmcache bench l2``. All run the same points: 4 keys of 64 KiB, with the fs adapter in a temporary folder.
The overhead of a point is the wall time of the whole sweep minus the time of its rounds, divided by the
number of points. Goal: at most 0.12 s per hot point, and at most 1/30 of the overhead of the shell loop.
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
    """Return the overhead per point of a sweep in seconds, and its parts."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "L2SWEEP_LOCK_DIR": str(folder)}
    seeds = ",".join(str(seed) for seed in range(points))
    options = [f"isolation={isolation}", f"adapter.base_path={folder}/kv", f"seed={seeds}", "quiet=true"]
    command = [sys.executable, "-m", "l2sweep", "-m", "num_keys=4", "data_size_kb=64", *options]
    begin_s = time.perf_counter()
    subprocess.run([*command, "dry_run=true"], cwd=folder, env=environment, check=True, capture_output=True)
    planning_s = time.perf_counter() - begin_s
    begin_s = time.time()
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
            "started": rows.set_index("point_index")["started_at"],
            "ended": (rows["started_at"] + pd.to_timedelta(rows["wall_s"], unit="s")).set_axis(
                rows["point_index"]
            ),
            "adapter_create_s": rows.set_index("point_index")["adapter_create_s"],
        }
    )
    to_first_s = (of_points["first"] - of_points["started"]).dt.total_seconds() - of_points[
        "adapter_create_s"
    ]
    from_last_s = (of_points["ended"] - of_points["last"]).dt.total_seconds()
    between_s = float((rows["started_at"].diff().dt.total_seconds() - rows["wall_s"].shift()).median())
    before_s = rows["started_at"].iloc[0].timestamp() - begin_s
    parts = {
        "once, before the first point: start, configuration, plan, fork server": before_s,
        "of that, start, configuration and plan, while the fork server starts": planning_s,
        "per process, without its rounds": (in_processes_s - in_rounds_s) / points,
        "of that, start of the process, spec, buffers, first payload": float(to_first_s.median()),
        "of that, creation of the adapter": float(rows["adapter_create_s"].median()),
        "of that, deletion of the keys, close, end of the process": float(from_last_s.median()),
        "between two processes, records among others": between_s,
    }
    return (wall_s - in_rounds_s) / points, parts


def shell_loop_overhead_s(points: int, folder: Path) -> float:
    """Return the overhead per point of a shell loop of ``lmcache bench l2``, in seconds."""
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
    """Measure all three, and print the overheads and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=30, help="points of the sweep")
    parser.add_argument("--shell-points", type=int, default=5, help="points of the two slow ones")
    arguments = parser.parse_args()
    overheads: dict[str, float] = {}
    for isolation, points in (("forkserver", arguments.points), ("spawn", arguments.shell_points)):
        with tempfile.TemporaryDirectory() as folder:
            overheads[isolation], parts = sweep_overhead_s(points, isolation, Path(folder))
        print(f"l2sweep, isolation={isolation}: {overheads[isolation]:.3f} s per point ({points} points)")
        for name, seconds in parts.items():
            print(f"    {seconds:7.3f} s  {name}")
    with tempfile.TemporaryDirectory() as folder:
        shell_s = shell_loop_overhead_s(arguments.shell_points, Path(folder))
    print(f"shell loop of lmcache bench l2: {shell_s:.3f} s per point ({arguments.shell_points} points)")
    print(f"ratio shell loop / forkserver: {shell_s / overheads['forkserver']:.1f}")
    print(f"ratio spawn / forkserver:      {overheads['spawn'] / overheads['forkserver']:.1f}")


if __name__ == "__main__":
    main()
