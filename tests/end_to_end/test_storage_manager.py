"""Points through LMCache's real StorageManager, as a user runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import RunL2Sweep, plugin_option

SMALL = ("through=storage_manager", "num_keys=4", "in_flight=2", "data_size_kb=64", "rounds=2")
ROUND_BYTES = 8 * 64 * 1024


def test_fs_through_the_storage_manager_is_ok_verified_and_leaves_no_data(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    kv = f"adapter.base_path={tmp_path}/kv"
    run = run_l2sweep("-m", "through=adapter,storage_manager", kv, *SMALL[1:], "skip_verify=false")
    assert run.exit_code == 0, run.out + run.err
    managed = run.rounds[run.rounds["through"] == "storage_manager"]
    assert managed["phase"].tolist() == ["store"] * 3 + ["load"] * 3
    assert (managed["status"] == "ok").all()
    assert (managed["bytes_ok"] == ROUND_BYTES).all()
    assert (managed[managed["phase"] == "store"]["stored_bytes"] == ROUND_BYTES).all()
    assert managed[managed["phase"] == "load"]["verified_keys"].tolist() == [0, 8, 8]
    assert run.points["point_id"].nunique() == 2
    assert "storage_manager" in run.out
    assert not list((tmp_path / "kv").glob("*"))


@pytest.mark.parametrize(("tolerance", "exit_code"), [("null", 0), ("0.01", 1)])
def test_fp8_stores_half_of_the_bytes_and_a_wrong_tolerance_fails(
    run_l2sweep: RunL2Sweep, tmp_path: Path, tolerance: str, exit_code: int
) -> None:
    spec = (f"adapter.base_path={tmp_path}/kv", "+adapter.serde.type=fp8", f"serde_tolerance={tolerance}")
    run = run_l2sweep(*SMALL, *spec, "skip_verify=false")
    assert run.exit_code == exit_code, run.out + run.err
    stores, loads = (run.rounds[run.rounds["phase"] == phase] for phase in ("store", "load"))
    assert (stores["stored_bytes"] == ROUND_BYTES // 2).all()
    assert set(loads["status"]) == ({"error"} if exit_code else {"ok"})
    assert (loads["mismatched_keys"] == (8 if exit_code else 0)).all()
    assert run.points["serde_tolerance"].tolist() == [0.01 if exit_code else 0.0625]


def test_an_adapter_that_drops_what_it_stores_is_not_ok(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    plugin = plugin_option("misreporting_adapters", "StoresNothing", base_path=str(tmp_path / "kv"))
    run = run_l2sweep(*SMALL, plugin)
    assert run.exit_code == 1
    assert (run.rounds[~run.rounds["is_warmup"]]["status"] != "ok").all()
    assert (run.rounds["keys_ok"] == 0).all()


def test_a_phase_alone_loads_what_another_process_stored(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    kv = f"adapter.base_path={tmp_path}/kv"
    assert run_l2sweep("only=store", kv, *SMALL).exit_code == 0
    load = run_l2sweep("only=load", kv, *SMALL)
    assert load.exit_code == 0, load.out


def test_stores_and_loads_at_the_same_time_are_shown_beside_each_alone(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    kv, paths = f"adapter.base_path={tmp_path}/kv", "through=adapter,storage_manager"
    run = run_l2sweep("-m", kv, *SMALL[1:], paths, "concurrent=true", "data_size_kb=512")
    assert run.exit_code == 0, run.out + run.err
    alone, managed = (run.rounds[run.rounds["point_index"] == index] for index in (0, 1))
    assert alone["phase"].unique().tolist() == ["store", "lookup", "load", "mixed_store", "mixed_load"]
    assert managed["phase"].unique().tolist() == ["store", "load", "mixed_store", "mixed_load"]
    assert (run.rounds["status"] == "ok").all()
    mixed = run.rounds[run.rounds["phase"].str.startswith("mixed_")]
    assert mixed["beside_fraction"].between(0.5, 1).all()
    assert (mixed["keys_ok"] == 8).all()
    for index in (0, 1):
        shown = rf"point {index}: load [\d.]+ MiB/s alone, [\d.]+ beside stores: (\d+%|not) less"
        assert re.search(shown, run.out)
    assert (run.points["keys_left"] == 0).all()
    assert not list((tmp_path / "kv").glob("*"))


def test_keys_are_stored_in_all_adapters_and_removed_from_all(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    second = f"more_adapters=[{{type: fs_native, base_path: {tmp_path}/second, num_workers: 2}}]"
    run = run_l2sweep(f"adapter.base_path={tmp_path}/kv", second, *SMALL, "skip_verify=false")
    assert run.exit_code == 0, run.out + run.err
    stores, loads = (run.rounds[run.rounds["phase"] == phase] for phase in ("store", "load"))
    assert (stores["stored_bytes"] == 2 * ROUND_BYTES).all()
    assert (stores["bytes_ok"] == ROUND_BYTES).all()
    assert [list(one) for one in loads["loaded_from"]] == [[8, 0]] * 3
    assert run.rounds["adapter.more_adapters.2.type"].unique().tolist() == ["fs_native"]
    assert run.points["keys_left"].tolist() == [0]
    for folder in ("kv", "second"):
        assert not list((tmp_path / folder).glob("*"))


def test_what_lmcache_evicts_before_its_load_does_not_count_and_is_named(run_l2sweep: RunL2Sweep) -> None:
    # 7 rounds of 1 MiB at 4 MiB/s; 8 MiB fit. LMCache looks once a second, and evicts half from 4 MiB on.
    mock = ("adapter=mock", "adapter.max_size_gb=0.0078125", "adapter.mock_bandwidth_gb=0.00390625")
    eviction = "+adapter.eviction={eviction_policy: LRU, trigger_watermark: 0.5, eviction_ratio: 0.5}"
    size = ("num_keys=8", "data_size_kb=128", "rounds=6")
    run = run_l2sweep("-m", *mock, eviction, *size, "through=storage_manager")
    assert run.exit_code == 1, run.out + run.err
    stores, loads = (run.rounds[run.rounds["phase"] == phase] for phase in ("store", "load"))
    assert (stores["status"] == "ok").all()
    assert loads["evicted_keys"].sum() > 0
    assert (loads["keys_ok"] + loads["evicted_keys"] == 8).all()
    assert (loads["duration_s"].isna() == (loads["evicted_keys"] > 0)).all()
    assert (loads["bytes_ok"] == loads["keys_ok"] * 128 * 1024).all()
    assert re.search(r"point 0: load: \d+ keys? not loaded, because LMCache had evicted them", run.out)
    assert run.points["keys_left"].tolist() == [0]
