"""A search instead of a grid, as docs/search.md describes it, with real Hydra and Optuna."""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, RunL2Sweep, start_l2sweep, wait_for

from l2sweep.sweep.state.host_lock import holder

SEARCH = (
    *("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_jobs=1", "rounds=1", "data_size_kb=64", "adapter=mock"),
)


def test_the_search_of_the_documentation_runs_its_trials_as_one_sweep_and_finds_the_best(
    run_l2sweep: RunL2Sweep,
) -> None:
    text = (ROOT / "docs" / "search.md").read_text()
    match = re.search(r"\$ python -m l2sweep (.*?)```", text, flags=re.DOTALL)
    assert match
    run = run_l2sweep(*shlex.split(match[1].replace("\\\n", " ")))
    assert run.exit_code == 0, run.err
    assert run.points["point_index"].tolist() == list(range(6))
    assert run.points["sweep_id"].nunique() == 1
    assert set(run.points["status"]) == {"ok"}
    stores = run.rounds[(run.rounds["phase"] == "store") & ~run.rounds["is_warmup"]]
    totals = stores.groupby("point_index")[["bytes_ok", "duration_s"]].sum()
    best = (totals["bytes_ok"] / 2**20 / totals["duration_s"]).max()
    (file,) = run.results_dir.glob("sweeps/*/optimization_results.yaml")
    assert yaml.safe_load(file.read_text())["best_value"] == pytest.approx(best)


def test_a_search_ends_with_exit_code_1_when_a_point_fails(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(
        *("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1"),
        *("num_keys=choice(2,4)", "only=load", "adapter=mock"),
    )
    assert run.exit_code == 1
    assert "resume=" not in run.out  # a search cannot be resumed
    assert "Traceback" not in run.err
    assert "failed: load: " in run.err


def test_each_repeat_of_a_trial_is_a_point(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*SEARCH, "hydra.sweeper.n_trials=3", "repeats=2", "num_keys=choice(2,4)")
    assert run.exit_code == 0, run.err
    assert run.points["point_index"].tolist() == list(range(6))
    assert run.points["repeat"].tolist() == [0, 1] * 3
    (manifest,) = run.results_dir.glob("sweeps/*/manifest.json")
    assert [point["index"] for point in json.loads(manifest.read_text())["points"]] == list(range(6))


def test_a_failed_trial_shows_no_credential(run_l2sweep: RunL2Sweep) -> None:
    spec = {"type": "resp", "host": "127.0.0.1", "port": 1, "num_workers": 1, "password": "xyzzy-hunter22"}
    run = run_l2sweep(
        *(*SEARCH[:-1], f"adapter_json={json.dumps(spec)}", "hydra.sweeper.n_trials=2"),
        *("num_keys=choice(2,4)", "only=lookup", "warmup_rounds=0", "deadline_s=3", "probe=false"),
    )
    assert run.exit_code == 1
    assert "xyzzy" not in run.out + run.err
    assert all("xyzzy" not in path.read_text() for path in run.results_dir.rglob("*.[yj][as]*"))


def test_a_trial_without_an_objective_fails_in_one_line(run_l2sweep: RunL2Sweep) -> None:
    few = ("num_keys=choice(2,4)", "objective=store_submit_p99_s", "hydra.sweeper.n_trials=2")
    run = run_l2sweep(*SEARCH, *few)
    assert run.exit_code == 1
    line = "l2sweep: objective=store_submit_p99_s: not measured, or in too few rounds for it"
    assert run.err.splitlines()[-1] == line
    assert len(run.points) == 1


def test_a_search_goes_on_after_a_wrong_or_infeasible_trial(run_l2sweep: RunL2Sweep) -> None:
    two_at_once = [one.replace("n_jobs=1", "n_jobs=2") for one in SEARCH]
    trials = ("hydra.sweeper.n_trials=12", "hydra.sweeper.sampler.seed=1", "hydra.sweeper.max_failure_rate=1")
    run = run_l2sweep(*two_at_once, *trials, "num_keys=choice(2,0,4,900000000)")
    assert run.exit_code == 1  # 0 is no number of keys
    assert "num_keys=0: must be an integer from 1" in run.err
    assert "no point is left to run: 1 skipped: needs " in run.err
    assert set(run.points["num_keys"]) == {2, 4}
    failed = run.err.count("Failed experiment: ")
    assert len(run.points) + failed == 12
    assert "resume=" not in run.out
    assert len(list(run.results_dir.glob("sweeps/*/optimization_results.yaml"))) == 1


@pytest.mark.parametrize("rate", ["0.0", "1.0"])
def test_a_search_with_only_wrong_trials_runs_nothing(
    run_l2sweep: RunL2Sweep, tmp_path: Path, rate: str
) -> None:
    trials = ("hydra.sweeper.n_trials=2", f"hydra.sweeper.max_failure_rate={rate}")
    run = run_l2sweep(*SEARCH, *trials, "num_keys=choice(0,-1)")
    assert run.exit_code == 2
    assert run.err.splitlines()[-1].startswith("l2sweep: ")
    assert not (tmp_path / "results").exists()


def test_a_search_holds_the_lock_until_an_interrupt_stops_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("L2SWEEP_LOCK_DIR", str(tmp_path))
    trials = ("hydra.sweeper.n_trials=500", "hydra.sweeper.max_failure_rate=1", "num_keys=choice(2,4)")
    process = start_l2sweep(tmp_path, *SEARCH, *trials)
    recorded = tmp_path / "results" / "points"
    wait_for(lambda: len(list(recorded.rglob("*.parquet"))) if recorded.is_dir() else None)
    for _ in range(20):
        assert f"process {process.pid}," in holder()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(list(recorded.rglob("*.parquet"))) < 500
    assert list((tmp_path / "results").rglob("running-*")) == []


def test_the_budget_of_minutes_of_a_search_is_for_all_trials(run_l2sweep: RunL2Sweep) -> None:
    trials = ("hydra.sweeper.n_trials=16", "hydra.sweeper.max_failure_rate=1", "num_keys=choice(640,650)")
    slow = ("adapter.mock_bandwidth_gb=0.3", "warmup_rounds=0")  # at least 0.25 s per trial
    run = run_l2sweep(*SEARCH, *trials, *slow, "budget.minutes=0.03")
    assert run.exit_code == 0, run.err
    assert 0 < len(run.points) < 16
    assert run.err.count("not run: the sweep ended before it") == 16 - len(run.points)


def test_resuming_a_search_is_refused(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*SEARCH, "resume=latest", "num_keys=choice(2,4)")
    assert run.exit_code == 2
    assert run.err.splitlines()[-1].startswith("l2sweep: resume=latest: must be null")
