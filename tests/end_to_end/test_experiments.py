"""The shipped experiments, run with less data."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT, RunL2Sweep

FADVISE = "cache.method=fadvise"  # drops the pages of its own files alone, beside other tests
SCALE = {
    "smoke": ("data_size_kb=64", "rounds=1"),
    "size_curve": ("budget.disk_gb=0.45", "rounds=1"),
    "queue_depth": ("data_size_kb=64", "rounds=1"),
    "long_context": ("budget.disk_gb=0.05",),
    "tune": (
        *("rounds=1", "repeats=1", "num_keys=2", FADVISE),
        *("hydra.sweeper.params.data_size_kb=64", "hydra.sweeper.params.in_flight='1,8'"),
    ),
    "nightly_cold": (
        "budget.disk_gb=0.05",
        "rounds=1",
        "repeats=1",
        "hydra.sweeper.params.data_size_kb=4096",
        "hydra.sweeper.params.in_flight=4",
    ),
}
POINTS = {"smoke": 4, "size_curve": 6, "queue_depth": 7, "long_context": 2, "nightly_cold": 4, "tune": 13}
EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))


def test_every_experiment_is_tested_and_documents_its_cost() -> None:
    assert sorted(SCALE) == EXPERIMENTS
    for name in EXPERIMENTS:
        text = (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text()
        assert re.search(r"# .*(written and read|writes and reads)", text), name


# Its points that are hot refuse a method, so it drops the page cache of the machine.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.alone] if name == "nightly_cold" else []) for name in EXPERIMENTS],
)
def test_an_experiment_measures_every_point_of_its_grid(
    run_l2sweep: RunL2Sweep, fio: None, name: str
) -> None:
    run = run_l2sweep(f"experiment={name}", *SCALE[name])
    assert run.exit_code == 0, run.out + run.err
    assert run.points["point_index"].nunique() == POINTS[name]
    assert set(run.points["status"]) == {"ok"}
    if name == "nightly_cold":
        loads = run.points[(run.points["phase"] == "load")]
        assert set(loads["cache_state"]) == {"cold"}
        assert set(run.points["adapter_type"]) == {"fs", "fs_native", "fio", "plugin"}
        assert (run.rounds[run.rounds["phase"] == "load"]["keys_ok"] > 0).all()
        assert len(list(run.results_dir.glob("sweeps/*/report.html"))) == 1


def test_a_night_measures_four_adapters_with_the_sizes_of_real_models(
    run_l2sweep: RunL2Sweep, fio: None
) -> None:
    plan = run_l2sweep(
        "experiment=nightly_cold", "repeats=1", "budget.disk_gb=0.3", "rounds=1", "dry_run=true"
    )
    assert plan.exit_code == 0, plan.err
    assert "26 points in 66 processes, 6 skipped" in plan.out


def test_after_the_budget_of_minutes_no_further_repeat_starts(run_l2sweep: RunL2Sweep) -> None:
    grid = ("-m", "adapter=mock", "num_keys=1,2", "order=interleaved")
    run = run_l2sweep(*grid, "repeats=500", "budget.minutes=0.1")
    assert run.exit_code == 0, run.err
    assert 2 < len(run.points) < 1000
    assert "budget.minutes=0.1 are used up" in run.out
    assert "not run" in run.out
    none_left = run_l2sweep(*grid, "budget.minutes=0.0000001")
    assert none_left.exit_code == 1
