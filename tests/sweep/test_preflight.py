"""What is found out before anything runs, and what a sweep does not touch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import RunL2Sweep

MOCK = json.dumps({"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": 100})
UNKNOWN = json.dumps({"type": "no-such-type"})
RELATIVE = json.dumps({"type": "fs", "base_path": 5})


def test_specs_that_lmcache_refuses_are_all_told_before_anything_runs(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep("-m", f"adapter_json={UNKNOWN},{RELATIVE}", "num_keys=2,4")
    assert run.exit_code == 2
    assert len(run.err.splitlines()) == 1
    assert "no-such-type" in run.err
    assert "base_path must be a non-empty string" in run.err
    assert list(tmp_path.iterdir()) == []


def test_one_refused_spec_fails_the_request_where_that_is_asked_for(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep("-m", f"adapter_json={MOCK},{UNKNOWN}", "num_keys=2", "on_infeasible=fail")
    assert run.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("adapter_type", ["raw_block", "dax"])
def test_a_file_that_holds_something_is_not_overwritten(
    run_l2sweep: RunL2Sweep, tmp_path: Path, adapter_type: str
) -> None:
    device = tmp_path / "device"
    device.write_text("somebody's data")
    spec = json.dumps({"type": adapter_type, "device_path": str(device), "slot_bytes": 2**20})
    for arguments in (["num_keys=2"], ["-m", "num_keys=2,4"]):
        run = run_l2sweep(f"adapter_json={spec}", *arguments)
        assert run.exit_code == 2
        assert f"{device} is a file that holds 15 bytes" in run.err
        assert "allow_destructive" in run.err
    assert device.read_text() == "somebody's data"
    assert [path.name for path in tmp_path.iterdir()] == ["device"]


def test_the_status_lists_sweeps_with_what_is_done_failed_and_left(run_l2sweep: RunL2Sweep) -> None:
    assert run_l2sweep("-m", "adapter=mock", "num_keys=2,4,8", "sweep_id=good").exit_code == 0
    partly = ("-m", "adapter=mock", "adapter.max_size_gb=0.0001", "num_keys=1,2", "data_size_kb=64")
    assert run_l2sweep(*partly, "on_failure=stop", "sweep_id=bad").exit_code == 1
    status = run_l2sweep("status")
    assert status.exit_code == 0, status.err
    rows = {line.split()[0]: line.split()[1:] for line in status.out.splitlines()[1:-1]}
    assert rows == {"good": ["3", "3", "0", "0"], "bad": ["2", "0", "1", "1"]}
    assert "No sweep runs on this host." in status.out
    nothing = run_l2sweep("status", "elsewhere")
    assert nothing.exit_code == 2
    assert "elsewhere" in nothing.err
