"""Whatever is killed at whatever moment: the sweep is resumed, and nothing is lost, doubled or left behind.

``L2SWEEP_KILLS=200`` kills as often as the design asks for; a few kills are enough for every day.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import RunL2Sweep, children, command_line, l2sweep_environment

import l2sweep

KILLS = int(os.environ.get("L2SWEEP_KILLS", "6"))
VICTIMS = ("launcher", "server", "bench")
POINTS = 8


@pytest.mark.parametrize("number", range(KILLS))
def test_a_sweep_that_is_killed_is_resumed_whole(number: int, tmp_path: Path) -> None:
    chance = random.Random(number)
    victim = VICTIMS[number % len(VICTIMS)]
    environment = l2sweep_environment(tmp_path)
    command = [sys.executable, "-m", "l2sweep"]
    grid = [
        "-m",
        "num_keys=4,8",
        "in_flight=1,2",
        "repeats=2",
        "rounds=8",
        f"adapter.base_path={tmp_path}/kv",
    ]
    is_cold = number // len(VICTIMS) % 2 == 1  # a process for each operation, killed between them as well
    grid += ["cache=cold", "cache.method=fadvise"] if is_cold else []
    launcher = subprocess.Popen(
        [*command, *grid], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    server = wait_for_child(launcher.pid, "l2sweep.bench.fork_server")
    for _ in range(600):  # until there is a plan, there is nothing to resume
        if list((tmp_path / "results" / "sweeps").glob("*/manifest.json")):
            break
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 3))
    kill(victim, launcher.pid, server)
    if victim == "launcher":
        launcher.wait(30)
    else:
        launcher.wait(120)  # it goes on with a new server, or with the next point

    resumed = subprocess.run(
        [*command, "resume=latest"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr

    points = l2sweep.load_points(tmp_path / "results")
    assert points["sweep_id"].nunique() == 1
    processes = 3 if is_cold else 1
    last = points[points["attempt"] == points.groupby("point_index")["attempt"].transform("max")]
    assert sorted(last["point_index"]) == sorted(list(range(POINTS)) * processes)  # each exactly once
    assert set(last["status"]) == {"ok"}
    whole = points.groupby(["point_index", "attempt"])["status"].agg(lambda all_: set(all_) == {"ok"})
    assert whole.groupby("point_index").sum().tolist() == [1] * POINTS
    rounds = pd.read_parquet(tmp_path / "results" / "rounds")
    kept = rounds.merge(last[["point_index", "attempt"]].drop_duplicates())
    assert kept.groupby(["point_index", "phase"]).size().tolist() == [9] * (POINTS * 3)
    assert list((tmp_path / "kv").glob("*.data")) == []
    assert list((tmp_path / "results").rglob("*.tmp")) == []
    assert list((tmp_path / "results").rglob("running-*")) == []
    assert processes_of(tmp_path) == []


def test_a_request_that_is_not_the_sweeps_is_refused_with_what_differs(run_l2sweep: RunL2Sweep) -> None:
    first = run_l2sweep("-m", "adapter=mock", "num_keys=2,4", "sweep_id=mine")
    assert first.exit_code == 0, first.err
    other = run_l2sweep("-m", "adapter=mock", "num_keys=2,8", "resume=mine")
    assert other.exit_code == 2
    assert "1 of 2 points differ, the first is point 1" in other.err
    assert "num_keys=8" in other.err
    unknown = run_l2sweep("resume=no-such-sweep")
    assert unknown.exit_code == 2
    assert "no-such-sweep" in unknown.err
    assert len(first.points) == 2


def test_points_that_failed_are_run_again_unless_they_are_not_to_be(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    spec = {"type": "plugin", "module_path": "faulty_adapters", "class_name": "RaisingStore"}
    spec["adapter_params"] = {"base_path": str(tmp_path / "kv")}  # type: ignore[assignment]
    grid = ("-m", f"adapter_json={json.dumps(spec)}", "num_keys=2,4", "data_size_kb=64")
    failed = run_l2sweep(*grid, FAULT_AT="2")
    assert failed.exit_code == 1
    assert "To go on: python -m l2sweep resume=" in failed.out
    left = run_l2sweep("resume=latest", "retry_failed=false", FAULT_AT="99")
    assert left.exit_code == 0, left.err
    assert len(left.points) == 2
    again = run_l2sweep("resume=latest", FAULT_AT="99")
    assert again.exit_code == 0, again.err
    assert again.points["attempt"].tolist() == [1, 2, 1, 2]
    assert again.points["status"].tolist() == ["failed", "ok", "failed", "ok"]
    assert again.points["sweep_id"].nunique() == 1


def kill(victim: str, launcher: int, server: int) -> None:
    target = {"launcher": launcher, "server": server}.get(victim)
    if target is None:
        target = next(iter(children(server)), server)
    try:
        os.kill(target, signal.SIGKILL)
    except ProcessLookupError:
        return  # it was done already


def wait_for_child(parent: int, word: str) -> int:
    for _ in range(600):
        for child in children(parent):
            if word in command_line(child):
                return child
        time.sleep(0.05)
    raise AssertionError(f"no {word} within half a minute")


def processes_of(folder: Path) -> list[str]:
    """Return the processes of l2sweep that work in a folder."""
    found = []
    for cwd in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if cwd.resolve() == folder and "l2sweep" in command_line(int(cwd.parent.name)):
                found.append(command_line(int(cwd.parent.name)))
        except OSError:
            continue
    return found
