"""The plan of a sweep: skipped points, the order, a dry run, and the lock of the host."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

from conftest import RunL2Sweep

from l2sweep.records.owner import Owner

GRID = ("-m", "adapter=mock", "num_keys=2,4,8", "in_flight=1,2", "data_size_kb=64")
Faulty = Callable[[str], str]


def test_points_that_do_not_meet_a_constraint_are_skipped_and_counted(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*GRID, 'constraints=["num_keys * in_flight <= 8"]')
    assert run.exit_code == 0, run.err
    assert sorted(zip(run.points["num_keys"], run.points["in_flight"], strict=True)) == [
        *((2, 1), (2, 2), (4, 1), (4, 2), (8, 1))
    ]
    assert (
        "skipped: mock num_keys=8 in_flight=2 data_size_kb=64: constraint num_keys * in_flight <= 8"
        in run.out
    )
    assert "5 of 5 points measured, 1 skipped" in run.out


def test_each_interleaved_repeat_runs_the_whole_grid_in_another_order(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", "adapter=mock", "num_keys=1,2,3,4,5", "repeats=3", "order=interleaved")
    assert run.exit_code == 0, run.err
    orders = run.points.groupby("repeat")["num_keys"].apply(list).tolist()
    assert [sorted(order) for order in orders] == [[1, 2, 3, 4, 5]] * 3
    assert run.points["repeat"].tolist() == sorted(run.points["repeat"])
    assert len({tuple(order) for order in orders}) > 1
    assert run.points["point_id"].nunique() == 5
    assert run.points["point_index"].tolist() == list(range(15))
    assert run.rounds["namespace"].nunique() == 15  # no repeat finds the keys of another one


def test_zipped_options_are_swept_together(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", "adapter=mock", "num_keys=2,4", "in_flight=4,2", "zip=[[num_keys,in_flight]]")
    assert run.exit_code == 0, run.err
    assert list(zip(run.points["num_keys"], run.points["in_flight"], strict=True)) == [(2, 4), (4, 2)]


def test_a_dry_run_prints_the_plan_and_touches_nothing(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep(*GRID, "dry_run=true", "repeats=2")
    assert run.exit_code == 0, run.err
    assert list(tmp_path.iterdir()) == []
    assert "12 points in 12 processes, 0 skipped; " in run.out
    assert "12 points that were not measured before" in run.out
    single = run_l2sweep("dry_run=true", "num_keys=4")
    assert "1 points in 1 processes" in single.out
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_point_has_the_options_that_differ(run_l2sweep: RunL2Sweep) -> None:
    grid = ("-m", "adapter=mock", "num_keys=2", "rounds=1", "seed=1,2", "adapter.mock_bandwidth_gb=3,4")
    plan = run_l2sweep(*grid, "dry_run=true")
    name = "mock num_keys=2 in_flight=1 data_size_kb=256 seed=2 adapter.mock_bandwidth_gb=3"
    assert f" {name} " in plan.out
    assert "rounds=" not in plan.out
    assert f"[3/4] {name}: store " in run_l2sweep(*grid).out


def test_a_point_that_does_not_fit_is_skipped_or_fails_the_request(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    grid = ("-m", "adapter=mock", "num_keys=2,100000000")
    run = run_l2sweep(*grid, "dry_run=true")
    assert run.exit_code == 0, run.err
    assert "GiB of memory" in run.out
    assert "1 points in 1 processes, 1 skipped" in run.out
    refused = run_l2sweep(*grid, "on_infeasible=fail")
    assert refused.exit_code == 2
    assert "GiB of memory" in refused.err
    assert list(tmp_path.iterdir()) == []


def test_the_first_failure_can_end_a_sweep(run_l2sweep: RunL2Sweep, faulty: Faulty) -> None:
    run = run_l2sweep("-m", faulty("RaisingStore"), "num_keys=2,4,8", "on_failure=stop", FAULT_AT="2")
    assert run.exit_code == 1
    assert run.points["num_keys"].tolist() == [2]
    assert "0 of 3 points measured, 1 failed, 2 not run" in run.out


def test_a_second_sweep_on_the_host_names_the_first_and_runs_nothing(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    other = Owner.of_this_process("the-other")
    with (temporary / "l2sweep.lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other.write(held)
        for arguments in (("num_keys=2",), ("-m", "num_keys=2,4")):
            run = run_l2sweep("adapter=mock", *arguments, TMPDIR=str(temporary))
            assert run.exit_code == 1
            holder = f"sweep the-other, process {other.pid}, since {other.since}"
            assert f"another sweep runs on this host: {holder}" in run.err
            assert len(run.err.splitlines()) == 1
            assert not run.results_dir.exists()
        unlocked = run_l2sweep("adapter=mock", "num_keys=2", "lock=off", TMPDIR=str(temporary))
        assert unlocked.exit_code == 0, unlocked.err
    assert run_l2sweep("adapter=mock", "num_keys=2", TMPDIR=str(temporary)).exit_code == 0
