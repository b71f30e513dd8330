"""A single point, as a user runs it, on real adapters of LMCache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from conftest import RunL2Sweep

SMALL = ("num_keys=4", "data_size_kb=64", "rounds=3")


def test_a_point_with_no_argument_records_every_round_and_leaves_no_data(
    run_l2sweep: RunL2Sweep, files: Callable[[str], list[str]], tmp_path: Path
) -> None:
    run = run_l2sweep()
    assert run.exit_code == 0, run.err
    assert run.err == ""
    assert list(zip(run.rounds["phase"], run.rounds["round"], run.rounds["is_warmup"], strict=True)) == [
        (phase, number, number == 1) for phase in ("store", "lookup", "load") for number in (1, 2)
    ]
    assert (run.rounds["status"] == "ok").all()
    transfers = run.rounds[run.rounds["phase"] != "lookup"]
    assert (transfers["bytes_ok"] == 32 * 256 * 1024).all()
    assert (transfers["mib_per_s"] > 0).all()
    assert run.points["status"].tolist() == ["ok"]
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
    assert not (tmp_path / "results" / "scratch").exists()
    assert all(name.split("/")[1] in ("rounds", "points", "sweeps") for name in files("results"))


def test_the_same_store_run_twice_into_one_folder_moves_the_same_bytes_twice(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    for only in ("only=store", "only=null"):
        for _ in range(2):
            run = run_l2sweep(only, f"adapter.base_path={tmp_path}/kv", *SMALL)
            assert run.exit_code == 0, run.out
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert len(stores) == 4 * 4
    assert (stores["status"] == "ok").all()
    assert (stores["bytes_ok"] == 4 * 64 * 1024).all()
    assert (stores["device_write_bytes"] >= 4 * 64 * 1024).all()


def test_a_load_of_missing_keys_fails_and_shows_no_speed(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep("only=load", f"adapter.base_path={tmp_path}/empty", *SMALL)
    assert run.exit_code == 1
    assert set(run.rounds["status"]) == {"error"}
    assert (run.rounds["mib_per_s"] == 0).all()
    assert (run.rounds["keys_per_s"] == 0).all()
    assert run.rounds["latency_per_key_s"].isna().all()
    speeds = re.findall(r"(?:Throughput.*|Keys/s):\s+(\S+)", run.out)
    assert len(speeds) == 4
    assert set(speeds) == {"0.00"}


def test_another_process_loads_and_verifies_the_stored_keys(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    kv = f"adapter.base_path={tmp_path}/kv"
    assert run_l2sweep("only=store", kv, *SMALL).exit_code == 0
    lookup = run_l2sweep("only=lookup", "lookup_max_hit_rate=0.5", kv, *SMALL)
    assert lookup.exit_code == 0
    load = run_l2sweep("only=load", "skip_verify=false", kv, *SMALL)
    assert load.exit_code == 0, load.out
    rounds = load.rounds
    assert rounds[rounds["phase"] == "lookup"]["keys_ok"].tolist() == [2] * 4
    assert rounds[rounds["phase"] == "load"]["verified_keys"].tolist() == [0, 4, 4, 4]
    assert "[Verify] All 12 loaded keys have the right bytes." in load.out


def test_a_load_that_finds_nothing_lists_what_was_stored_with_other_options(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    kv = f"adapter.base_path={tmp_path}/kv"
    assert run_l2sweep("only=store", kv, "num_keys=4", "data_size_kb=64", "rounds=2").exit_code == 0
    for command in (["only=load"], ["only=lookup", "lookup_max_hit_rate=1.0"], ["-m", "only=load"]):
        run = run_l2sweep(*command, kv, *SMALL)
        assert "\nstored earlier: rounds=2 (this point: rounds=3)\n" in run.out, run.out
    for command in (["only=load", "rounds=2"], ["only=lookup", "rounds=3"], ["only=load", "namespace=mine"]):
        run = run_l2sweep(kv, "num_keys=4", "data_size_kb=64", *command)
        assert "stored earlier" not in run.out


def test_a_lookup_without_a_store_may_find_fewer_keys_than_expected(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep("only=lookup", "lookup_max_hit_rate=1.0", f"adapter.base_path={tmp_path}/kv", *SMALL)
    assert run.exit_code == 0
    assert (run.rounds["keys_ok"] == 0).all()
    assert (run.rounds["keys_expected"] == 4).all()
    assert "Actual hit rate:                                          0.0000" in run.out


def test_a_round_with_failed_loads_is_partial_and_counts_only_loaded_keys(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(
        "adapter=fault_inject", "adapter.rate=0.4", "num_keys=32", "data_size_kb=64", "rounds=3"
    )
    assert run.exit_code == 1
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert set(loads["status"]) == {"partial"}
    assert ((loads["keys_ok"] > 0) & (loads["keys_ok"] < 32)).all()
    assert (loads["bytes_ok"] == loads["keys_ok"] * 64 * 1024).all()
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert set(stores["status"]) == {"ok"}
    assert "keys loaded" in run.points["detail"][0]
    assert "FaultInjectL2Adapter ACTIVE" in run.log()


def test_a_store_that_moved_no_bytes_is_an_error(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("adapter=mock", "adapter.max_size_gb=0.0003", *SMALL)  # room for the first round only
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert stores["status"].tolist() == ["ok", "error", "error", "error"]
    assert stores["mib_per_s"].tolist()[1:] == [0, 0, 0]
    assert "without moving" in stores["detail"][1]
    assert run.exit_code == 1
    assert re.search(r"Throughput max \(MiB/s\): +0\.00", run.out)


def test_keys_are_deleted_unless_keep_data_is_true(
    run_l2sweep: RunL2Sweep, files: Callable[[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "kv").mkdir()
    (tmp_path / "kv" / "somebody-elses.data").write_text("stays")
    kv = f"adapter.base_path={tmp_path}/kv"
    assert run_l2sweep(kv, *SMALL).exit_code == 0
    assert files("kv") == ["kv/somebody-elses.data"]
    assert run_l2sweep(kv, "keep_data=true", *SMALL).exit_code == 0
    assert len(files("kv")) == 1 + 4 * 4


def test_the_command_line_overrides_the_spec_of_the_environment(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    spec = json.dumps({"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": 100})
    assert run_l2sweep(*SMALL, L2_ADAPTER_JSON=spec).exit_code == 0
    run = run_l2sweep(f"adapter.base_path={tmp_path}/kv", *SMALL, L2_ADAPTER_JSON=spec)
    assert run.points["adapter_type"].tolist() == ["mock", "fs"]


def test_quiet_prints_nothing_and_keeps_the_exit_code(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    good = run_l2sweep("quiet=true", *SMALL)
    assert (good.exit_code, good.out, good.err) == (0, "", "")
    bad = run_l2sweep("quiet=true", "only=load", f"adapter.base_path={tmp_path}/empty", *SMALL)
    assert (bad.exit_code, bad.out, bad.err) == (1, "", "")


def test_the_identity_of_a_point_depends_on_the_adapter_and_not_on_the_current_folder(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    here = run_l2sweep("adapter=mock", *SMALL).points
    there = run_l2sweep("adapter=mock", "sweep_name=x", *SMALL, cwd=tmp_path / "other").points
    assert here["point_id"][0] == there["point_id"][0]
    assert here["sweep_id"][0] != there["sweep_id"][0]
    disks = run_l2sweep("-m", f"adapter.base_path={tmp_path}/a,{tmp_path}/b", "only=store", *SMALL).points
    assert disks["point_id"].nunique() == 3


def test_the_environment_of_a_point_is_recorded(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep(
        f"adapter.base_path={tmp_path}/kv", "+adapter.use_odirect=true", "lmcache_log_level=INFO", *SMALL
    )
    point = run.points.iloc[0]
    assert point["effective_odirect"]
    assert point["fs_type"]
    assert point["peak_rss_bytes"] > 100 * 2**20
    assert point["wall_s"] > 0
    assert point["lmcache_version"] == run.rounds["lmcache_version"][0]
    assert point["overrides"][0] == f"adapter.base_path={tmp_path}/kv"
    assert pd.isna(point["signal"])
    assert "Initialized FSL2Adapter" in run.log()  # lmcache_log_level=INFO logs it
