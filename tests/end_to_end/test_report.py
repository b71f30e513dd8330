"""The final report as JSON and in a file, as a user gets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from conftest import RunL2Sweep, l2sweep_environment

SMALL = ("adapter=mock", "data_size_kb=64", "num_keys=2")


def test_standard_output_is_one_json_document(run_l2sweep_process: RunL2Sweep) -> None:
    run = run_l2sweep_process("report_format=json", "report_file=new/report.json", *SMALL, "rounds=2")
    assert run.exit_code == 0, run.err
    report = json.loads(run.out)
    (point,) = report["points"]
    assert [phase["phase"] for phase in point["phases"]] == ["store", "lookup", "load"]
    row = run.points.iloc[0]
    assert (point["point_id"], point["versions"]["lmcache"]) == (row["point_id"], row["lmcache_version"])
    durations = run.rounds[~run.rounds["is_warmup"] & (run.rounds["phase"] == "load")]["duration_s"]
    assert point["phases"][2]["durations_s"] == durations.tolist()
    assert (run.results_dir.parent / "new" / "report.json").read_text() == run.out
    assert "[Store] Round 2" in run.err


def test_a_sweep_and_a_resumed_sweep_give_a_list_of_points(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("-m", "report_format=json", *SMALL[:2], "num_keys=2,4")
    assert run.exit_code == 0, run.err
    assert [one["configuration"]["num_keys"] for one in json.loads(run.out)["points"]] == [2, 4]
    again = run_l2sweep("resume=latest", "report_format=json")
    assert json.loads(again.out)["points"] == [], again.err


def test_a_failed_point_has_a_report(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep("report_format=json", "only=load", f"adapter.base_path={tmp_path}/kv", "num_keys=2")
    assert run.exit_code == 1
    (point,) = json.loads(run.out)["points"]
    assert (point["status"], point["exit_code"]) == ("failed", 1)
    assert point["phases"][0]["mib_per_s"] == 0


def test_no_credential_is_in_the_report(run_l2sweep: RunL2Sweep) -> None:
    spec = '{"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": 10, "password": "hunter22"}'
    run = run_l2sweep("report_format=json", "report_file=r.json", f"adapter_json={spec}", *SMALL[1:])
    if run.exit_code == 0:
        assert json.loads(run.out)["points"][0]["configuration"]["adapter_spec"]["password"] == "***"
    assert "hunter22" not in run.out + run.err


def test_a_full_disk_behind_standard_output_does_not_lose_the_file(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "l2sweep", *SMALL, "report_format=json", "report_file=r.json"],
            cwd=tmp_path,
            env=l2sweep_environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert "l2sweep: standard output: No space left on device" in done.stderr
    assert json.loads((tmp_path / "r.json").read_text())["points"][0]["status"] == "ok"
