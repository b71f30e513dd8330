"""A sweep, as a user runs it: each point gets its rows, also if its process crashes or hangs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest
from conftest import RunL2Sweep, children, start_l2sweep, wait_for

import l2sweep

SMALL = ("data_size_kb=64",)
Faulty = Callable[[str], str]


def test_a_sweep_records_points_times_phases_times_rounds_and_shows_a_table(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", "num_keys=8,32,128", "rounds=2", *SMALL)
    assert run.exit_code == 0, run.err
    assert run.err == ""
    assert len(pd.read_parquet(run.results_dir / "rounds")) == 3 * 3 * (2 + 1)
    counts = run.rounds.groupby(["point_index", "num_keys", "phase", "is_warmup"]).size()
    assert counts.loc[(1, 32, "load")].to_dict() == {False: 2, True: 1}
    assert run.rounds["sweep_id"].nunique() == 1
    assert run.points["point_id"].nunique() == 3
    lines = run.out.splitlines()
    assert [line[:5] for line in lines[:3]] == ["[1/3]", "[2/3]", "[3/3]"]
    assert sum(" store " in line for line in lines if line[:1] != "[") == 3
    sweep_id = run.rounds["sweep_id"][0]
    (line,) = [line for line in lines if "pd.read_parquet" in line]
    assert f"/date={run.points['started_at'].min():%Y-%m-%d}/{sweep_id}" in line
    (path,) = re.findall(r'read_parquet\("results/(.*)"\)', line)
    assert len(pd.read_parquet(run.results_dir / path)) == len(run.rounds)
    assert "\x1b[" not in run.out  # no terminal, no colours


def test_failed_points_are_recorded_and_the_sweep_goes_on(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    def plugin(name: str) -> str:
        parameters = {"base_path": str(tmp_path / "kv")}
        spec = {"type": "plugin", "module_path": "faulty_adapters", "class_name": name}
        return json.dumps({**spec, "adapter_params": parameters})

    unknown = json.dumps({"type": "no-such-type"})
    good = json.dumps({"type": "fs", "base_path": str(tmp_path / "kv")})
    specs = ",".join([plugin("CrashingStore"), unknown, plugin("HangingStore"), good])
    run = run_l2sweep("-m", f"adapter_json={specs}", "deadline_s=6", "rounds=2", *SMALL, FAULT_AT="3")
    assert run.exit_code == 1
    points = run.points
    assert points["status"].tolist() == ["crashed", "refused", "timeout", "ok"]
    assert points["signal"].tolist()[0] == signal.SIGSEGV
    assert "SIGSEGV during store" in points["detail"][0]
    assert "no-such-type" in points["detail"][1]
    assert "deadline" in points["detail"][2]
    assert (points["wall_s"] < 60).all()
    # The rounds before the crash and before the hang are kept.
    assert run.rounds.groupby("point_index").size().to_dict() == {0: 2, 2: 2, 3: 9}
    for log_file in points["log_file"]:
        assert (run.results_dir / log_file).is_file()
    assert "1 of 4 points measured, 3 failed" in run.out
    assert "[1/4] plugin" in run.out


def test_an_experiment_file_can_define_a_sweep(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    experiment = tmp_path / "mine" / "experiment"
    experiment.mkdir(parents=True)
    (experiment / "tiny.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /adapter: mock\n"
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      in_flight: 1,2\n"
        "sweep_name: tiny\nnum_keys: 2\n"
    )
    run = run_l2sweep("--config-dir", str(tmp_path / "mine"), "experiment=tiny")
    assert run.exit_code == 0, run.err
    assert run.points["in_flight"].tolist() == [1, 2]
    assert set(run.points["adapter_type"]) == {"mock"}
    assert set(run.points["sweep_name"]) == {"tiny"}


def test_hydra_creates_no_folder_in_the_current_folder(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep("-m", "adapter=mock", "num_keys=2,4", "results_dir=deep/er")
    assert run.exit_code == 0, run.err
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    (sweep,) = (tmp_path / "deep" / "er" / "sweeps").iterdir()
    assert (sweep / "config.yaml").read_text().startswith("hydra:")


def test_a_stopped_sweep_keeps_its_measured_rounds(tmp_path: Path, faulty: Faulty) -> None:
    options = ("-m", faulty("HangingStore"), "num_keys=2,4", *SMALL)
    process = start_l2sweep(tmp_path, *options, FAULT_AT="2")
    bench = wait_for(lambda: bench_process_in_round(process.pid, tmp_path))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    points = l2sweep.load_points(tmp_path / "results")
    assert points["status"].tolist() == ["stopped"]
    assert l2sweep.load_rounds(tmp_path / "results")["round"].tolist() == [1]
    assert "0 of 2 points measured" in out
    wait_for(lambda: is_gone(bench) or None)


def test_a_benchmark_process_is_killed_with_its_launcher(tmp_path: Path, faulty: Faulty) -> None:
    process = start_l2sweep(tmp_path, faulty("HangingStore"), *SMALL, FAULT_AT="2")
    bench = wait_for(lambda: bench_process_in_round(process.pid, tmp_path))
    process.kill()
    process.communicate()
    wait_for(lambda: is_gone(bench) or None)


def bench_process_in_round(launcher: int, folder: Path) -> int | None:
    """Return the benchmark process of a launcher once it has stored round 1 and hangs in round 2."""
    if len(list(folder.glob("kv/*.data"))) < 2:
        return None
    time.sleep(0.5)  # until the row of round 1 has reached the launcher
    (server,) = children(launcher)
    return min(children(server))  # a later one waits for the next point


def is_gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.mark.parametrize(("isolation", "num_keys"), [("forkserver", "2,4"), ("spawn", "2")])
def test_a_process_that_exceeds_the_memory_limit_is_ended(
    run_l2sweep: RunL2Sweep, faulty: Faulty, isolation: str, num_keys: str
) -> None:
    points = len(num_keys.split(","))
    options = (faulty("GrowingStore"), f"isolation={isolation}", "memory_limit_mib=900", "rounds=2", *SMALL)
    run = run_l2sweep("-m", *options, f"num_keys={num_keys}", FAULT_AT="3")
    assert run.exit_code == 1
    assert run.points["status"].tolist() == ["memory_limit"] * points
    assert run.points["isolation"].tolist() == [isolation] * points
    assert run.rounds.groupby("point_index").size().tolist() == [2] * points
    assert "above memory_limit_mib=900" in run.points["detail"][0]


def test_another_interpreter_measures_with_its_own_lmcache(
    run_l2sweep: RunL2Sweep, other_lmcache: tuple[Path, str]
) -> None:
    python, release = other_lmcache
    run = run_l2sweep("-m", f"python={python},null", "num_keys=2", "rounds=1", "data_size_kb=64")
    assert run.exit_code == 0, run.out + run.err
    assert run.points["isolation"].tolist() == ["spawn", "forkserver"]
    assert run.points["lmcache_version"].tolist() == [release, metadata.version("lmcache")]
    assert run.rounds.groupby("lmcache_version").size().tolist() == [6, 6]
    assert run.points["point_id"].nunique() == 1  # the same point, measured with another LMCache


@pytest.fixture(scope="module")
def other_lmcache(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the interpreter of a virtual environment with another LMCache, and its release."""
    release = "0.5.4" if metadata.version("lmcache") != "0.5.4" else "0.5.6"
    folder = tmp_path_factory.mktemp("other")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    install = ["pip", "install", "--quiet", "--no-deps", "--target", str(site), f"lmcache=={release}"]
    subprocess.run([sys.executable, "-m", *install], check=True, capture_output=True)
    # The packages that LMCache needs come from this environment, whose folder is searched later.
    (site / "the_rest.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "python", release


def test_forked_and_spawned_processes_move_the_same_bytes(run_l2sweep: RunL2Sweep) -> None:
    # Their times are compared by benchmarks/isolation.py.
    for isolation in ("spawn", "forkserver"):
        run = run_l2sweep("num_keys=4", "rounds=3", *SMALL, f"isolation={isolation}")
        assert run.exit_code == 0, run.err
    assert run.points["isolation"].tolist() == ["spawn", "forkserver"]
    columns = ["point_id", "phase", "round", "is_warmup", "status", "keys_ok", "bytes_ok", "keys_expected"]
    by_sweep = run.rounds.groupby("sweep_id")[columns]
    spawned, forked = (rounds.reset_index(drop=True) for _, rounds in by_sweep)
    pd.testing.assert_frame_equal(spawned, forked)


@pytest.mark.parametrize("isolation", ["forkserver", "spawn"])
def test_a_module_in_the_current_folder_is_not_imported(
    run_l2sweep: RunL2Sweep, tmp_path: Path, isolation: str
) -> None:
    (tmp_path / "aiofiles.py").write_text("raise SystemExit('the wrong module')\n")
    run = run_l2sweep("num_keys=2", *SMALL, f"isolation={isolation}", f"adapter.base_path={tmp_path}/kv")
    assert run.exit_code == 0, run.out + run.err
