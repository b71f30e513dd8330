"""What is measured again after a kill or a failure, and what is not."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import RunL2Sweep, start_l2sweep, wait_for
from record_files import split

from l2sweep.records.storage.layout import record_path


def test_a_resume_with_another_grid_is_refused_with_the_difference(run_l2sweep: RunL2Sweep) -> None:
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


def test_a_sweep_is_not_confused_with_one_whose_id_starts_with_its_id(run_l2sweep: RunL2Sweep) -> None:
    grid = ("-m", "adapter=mock", "num_keys=2,4", "data_size_kb=64", "rounds=1")
    assert run_l2sweep(*grid, "sweep_id=night.2").exit_code == 0
    first = run_l2sweep(*grid, "sweep_id=night")
    assert first.exit_code == 0, first.err
    split(first.results_dir)
    record_path(first.results_dir, "points", "night.00001.1").unlink()
    status = run_l2sweep("status")
    assert re.search(r"^night +2 +1 +0 +0 +1 *$", status.out, flags=re.MULTILINE), status.out
    again = run_l2sweep("resume=night")
    assert again.exit_code == 0, again.err
    assert "1 measured before" in again.out


def test_a_killed_point_that_keeps_its_data_runs_again_in_another_namespace(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    grid = ("-m", faulty("HangingStore"), "num_keys=2", "data_size_kb=64", "rounds=2", "keep_data=true")
    process = start_l2sweep(tmp_path, *grid, FAULT_AT="3")
    drain = threading.Thread(target=process.communicate)
    drain.start()
    wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 4 or None)
    process.kill()
    drain.join()
    again = run_l2sweep("resume=latest", FAULT_AT="99")
    assert again.exit_code == 0, again.out + again.err
    assert again.points["attempt"].tolist() == [1]
    assert set(again.rounds["status"]) == {"ok"}


def test_a_resumed_sweep_keeps_its_plan_although_the_budget_changed(run_l2sweep: RunL2Sweep) -> None:
    grid = ("-m", "num_keys=2,4,900000000", "data_size_kb=64", "rounds=1")
    first = run_l2sweep(*grid, "sweep_id=mine")
    assert "1 skipped" in first.out
    split(first.results_dir)
    record_path(first.results_dir, "points", "mine.00001.1").unlink()
    again = run_l2sweep(*grid, "resume=mine", "budget.disk_gb=0.0000001")
    assert again.exit_code == 0, again.err
    assert "2 of 2 points measured" not in again.out
    assert "1 measured before, 1 skipped" in again.out


@pytest.mark.usefixtures("root")
def test_the_files_of_a_killed_run_are_removed_before_the_next_plan(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    (tmp_path / "kv").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path / "kv")], check=True)
    size = ("num_keys=2", "data_size_kb=512", "rounds=2")
    try:
        process = start_l2sweep(tmp_path, "-m", faulty("HangingStore"), *size, FAULT_AT="3")
        drain = threading.Thread(target=process.communicate)
        drain.start()
        wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 4 or None)
        process.kill()
        drain.join()
        run = run_l2sweep("-m", *size, faulty("HangingStore"), FAULT_AT="99")
    finally:
        subprocess.run(["umount", str(tmp_path / "kv")], check=True)
    assert run.exit_code == 0, run.out + run.err
    assert "were removed" in run.out


def test_failed_points_run_again_unless_retry_failed_is_false(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    spec = {"type": "plugin", "module_path": "faulty_adapters", "class_name": "RaisingStore"}
    spec["adapter_params"] = {"base_path": str(tmp_path / "kv")}  # type: ignore[assignment]
    grid = ("-m", f"adapter_json={json.dumps(spec)}", "num_keys=2,4", "data_size_kb=64")
    failed = run_l2sweep(*grid, FAULT_AT="2")
    assert failed.exit_code == 1
    assert "To resume: python -m l2sweep resume=" in failed.out
    left = run_l2sweep("resume=latest", "retry_failed=false", FAULT_AT="99")
    assert left.exit_code == 1, left.err
    assert ", 2 failed before" in left.out
    assert len(left.points) == 2
    again = run_l2sweep("resume=latest", FAULT_AT="99")
    assert again.exit_code == 0, again.err
    assert again.points["attempt"].tolist() == [1, 2, 1, 2]
    assert again.points["status"].tolist() == ["failed", "ok", "failed", "ok"]
    assert again.points["sweep_id"].nunique() == 1
