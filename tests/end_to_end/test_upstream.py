"""l2sweep finds the keys that ``lmcache bench l2`` stores, and the other way round, and reports as much."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from conftest import ROOT, RunL2Sweep

# Runs several commands in one process, because importing LMCache takes 4 s.
UPSTREAM = """
import json, sys
from lmcache.cli.main import main
for sys.argv[1:] in json.loads(sys.argv[1]):
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""
SHAPE = {"num-keys": "6", "in-flight": "2", "data-size-kb": "128", "rounds": "2", "warmup-rounds": "1"}
OURS = tuple(f"{name.replace('-', '_')}={value}" for name, value in SHAPE.items())


def bench_l2(base_path: Path, *commands: Sequence[str]) -> str:
    """Run ``lmcache bench l2`` with each of the given options, and return all output."""
    spec = json.dumps({"type": "fs", "base_path": str(base_path)})
    shape = [part for name, value in SHAPE.items() for part in (f"--{name}", value)]
    arguments = [["bench", "l2", "--l2-adapter", spec, *shape, *options] for options in commands]
    quiet = {"LMCACHE_DISABLE_BANNER": "1", "LMCACHE_TRACK_USAGE": "false", "LMCACHE_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-c", UPSTREAM, json.dumps(arguments)],
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_l2sweep_finds_all_keys_that_upstream_stores(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    bench_l2(tmp_path / "kv", ["--only", "store"])
    kv = f"adapter.base_path={tmp_path}/kv"
    load = run_l2sweep("only=load", "namespace=bench-model", kv, *OURS)
    assert load.exit_code == 0, load.out
    assert load.rounds["keys_ok"].tolist() == [12, 12, 12]
    assert load.rounds["sampled_keys"].tolist() == [12, 12, 12]
    assert set(load.rounds["detail"]) == {"12 of 12 sampled keys were loaded, but not written by l2sweep"}
    lookup = run_l2sweep("only=lookup", "namespace=bench-model", "lookup_max_hit_rate=0.75", kv, *OURS)
    assert lookup.exit_code == 0, lookup.out
    assert lookup.rounds[lookup.rounds["phase"] == "lookup"]["keys_ok"].tolist() == [9, 9, 9]
    checked = run_l2sweep("only=load", "namespace=bench-model", "skip_verify=false", kv, *OURS)
    assert checked.exit_code == 1  # the bytes of others cannot be checked
    assert "12 of 12 loaded keys were not written by l2sweep" in checked.points["detail"].iloc[-1]


def test_upstream_finds_all_keys_that_l2sweep_stores(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    kv = tmp_path / "kv"
    run = run_l2sweep("only=store", "namespace=bench-model", f"adapter.base_path={kv}", *OURS)
    assert run.exit_code == 0, run.out
    load, lookup = ["--only", "load"], ["--only", "lookup", "--lookup-max-hit-rate", "0.75"]
    output = bench_l2(kv, load, lookup)
    assert output.count("loaded=12/12") == 3
    assert output.count("found=9/12") == 3


def fields_of(section: str) -> dict[str, str]:
    """Return upstream's fields of a section to ours, from the table of the document."""
    text = (ROOT / "docs" / "from-bench-l2.md").read_text()
    return dict(re.findall(rf"^\| {section} \| `(\w+)` \| `(\w+)`", text, flags=re.MULTILINE))


def test_the_report_has_everything_that_upstreams_has(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    file = tmp_path / "upstream.json"
    bench_l2(
        tmp_path / "kv",
        ["--lookup-max-hit-rate", "0.5", "--format", "json", "--output", str(file), "--quiet"],
    )
    upstream = json.loads(file.read_text())["metrics"]
    run = run_l2sweep(
        "report_format=json", "lookup_max_hit_rate=0.5", f"adapter.base_path={tmp_path}/b", *OURS
    )
    (point,) = json.loads(run.out)["points"]
    configuration, phases = fields_of("config"), fields_of("phase")
    assert set(upstream["config"]) == set(configuration)
    assert set(configuration.values()) <= set(point["configuration"])
    for number, ours in enumerate(point["phases"]):
        theirs = upstream[f"op_{number}"]
        assert set(theirs) <= set(phases)
        assert {phases[name] for name in theirs} <= set(ours)
        assert theirs["operation"].lower() == ours["phase"]
        assert theirs["total_keys"] == ours["total_keys"]
    assert {name for one in upstream.values() for name in one} == {*configuration, *phases}
    same = ("keys_per_round", "data_per_round_mb", "measurement_rounds", "in_flight")
    for name in same:
        assert upstream["config"][name] == point["configuration"][configuration[name]]
