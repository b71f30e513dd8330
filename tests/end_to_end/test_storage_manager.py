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
    run = run_l2sweep("-m", f"adapter.base_path={tmp_path}/kv", *SMALL, "concurrent=true", "data_size_kb=512")
    assert run.exit_code == 0, run.out + run.err
    assert run.rounds["phase"].unique().tolist() == ["store", "load", "mixed_store", "mixed_load"]
    assert (run.rounds["status"] == "ok").all()
    mixed = run.rounds[run.rounds["phase"].str.startswith("mixed_")]
    assert mixed["beside_fraction"].between(0.5, 1).all()
    assert re.search(r"point 0: load [\d.]+ MiB/s alone, [\d.]+ beside stores: \d+% (less|more)", run.out)
    assert not list((tmp_path / "kv").glob("*"))
