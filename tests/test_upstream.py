"""l2sweep and the installed ``lmcache bench l2`` find each other's keys."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import RunL2Sweep

UPSTREAM = "from lmcache.cli.main import main; main()"
SHAPE = {"num-keys": "6", "in-flight": "2", "data-size-kb": "128", "rounds": "2", "warmup-rounds": "1"}
OURS = tuple(f"{name.replace('-', '_')}={value}" for name, value in SHAPE.items())


def bench_l2(base_path: Path, *arguments: str) -> str:
    """Run ``lmcache bench l2`` and return what it prints."""
    spec = json.dumps({"type": "fs", "base_path": str(base_path)})
    shape = [part for name, value in SHAPE.items() for part in (f"--{name}", value)]
    quiet = {"LMCACHE_DISABLE_BANNER": "1", "LMCACHE_TRACK_USAGE": "false", "LMCACHE_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-c", UPSTREAM, "bench", "l2", "--l2-adapter", spec, *shape, *arguments],
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_upstream_stores_l2sweep_finds_whole(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    bench_l2(tmp_path / "kv", "--only", "store")
    kv = f"adapter.base_path={tmp_path}/kv"
    load = run_l2sweep("only=load", "namespace=bench-model", kv, *OURS)
    assert load.exit_code == 0, load.out
    assert load.rounds["keys_ok"].tolist() == [12, 12, 12]
    lookup = run_l2sweep("only=lookup", "namespace=bench-model", "lookup_max_hit_rate=0.75", kv, *OURS)
    assert lookup.exit_code == 0, lookup.out
    assert lookup.rounds[lookup.rounds["phase"] == "lookup"]["keys_ok"].tolist() == [9, 9, 9]


def test_what_l2sweep_stores_upstream_finds_whole(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    kv = tmp_path / "kv"
    run = run_l2sweep("only=store", "namespace=bench-model", f"adapter.base_path={kv}", *OURS)
    assert run.exit_code == 0, run.out
    loaded = bench_l2(kv, "--only", "load")
    assert loaded.count("loaded=12/12") == 3
    found = bench_l2(kv, "--only", "lookup", "--lookup-max-hit-rate", "0.75")
    assert found.count("found=9/12") == 3
