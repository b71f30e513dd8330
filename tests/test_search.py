"""A search instead of a grid, as docs/search.md has it: real Hydra, real Optuna."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml
from conftest import ROOT, RunL2Sweep

from l2sweep.analysis.objective import OBJECTIVES
from l2sweep.options import SWEEP_RULES


def test_the_documents_search_runs_trials_of_one_sweep_and_finds_the_best(run_l2sweep: RunL2Sweep) -> None:
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
    assert "Traceback" not in run.err
    assert "failed: load: " in run.err


def test_every_objective_is_an_option_and_no_other_is() -> None:
    assert all(SWEEP_RULES["objective"].accepts(name) for name in OBJECTIVES)
    assert not SWEEP_RULES["objective"].accepts("lookup_mib_per_s")
