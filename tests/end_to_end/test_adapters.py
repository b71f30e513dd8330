"""Adapters of LMCache that need a package or a file of their own, run for real; and the list of all."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from conftest import RunL2Sweep, require

MIB = 1 << 20
SHAPE = ("num_keys=4", "in_flight=2", "data_size_kb=64", "rounds=2", "lookup_max_hit_rate=1", "order=grid")
PACKAGES = {"lmcache_rust_raw_block_io": "raw_block", "nixl": "nixl"}


def file_of(path: Path, size_mib: int) -> str:
    with path.open("wb") as file:
        file.truncate(size_mib * MIB)
    return str(path)


def specs(folder: Path) -> list[dict[str, Any]]:
    params = {"file_path": str(folder / "nixl"), "use_direct_io": "false"}
    (folder / "nixl").mkdir()
    (folder / "native").mkdir()
    return [
        {
            "type": "raw_block",
            "device_path": file_of(folder / "device", 16),
            "slot_bytes": 65536 + 4096,
            "meta_total_bytes": MIB,
        },
        {
            "type": "dax",
            "device_path": file_of(folder / "memory", 16),
            "max_dax_size_gb": 0.01,
            "slot_bytes": 65536,
        },
        {
            "type": "nixl_store",
            "backend": "POSIX",
            "pool_size": 32,
            "backend_params": {**params, "file_size": "65536"},
        },
        {
            "type": "nixl_store_dynamic",
            "backend": "POSIX",
            "backend_params": {**params, "max_capacity_gb": "1"},
        },
        {
            "type": "native_plugin",
            "module_path": "lmcache.lmcache_fs",
            "class_name": "LMCacheFSClient",
            "adapter_params": {"base_path": str(folder / "native"), "num_workers": 2},
        },
    ]


def test_every_adapter_that_needs_no_server_stores_finds_and_loads_the_right_bytes(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    for module, extra in PACKAGES.items():
        require(importlib.util.find_spec(module), f"{module} is not installed (l2sweep[{extra}])")
    texts = ",".join(json.dumps(spec) for spec in specs(tmp_path))
    run = run_l2sweep("-m", f"adapter_json={texts}", *SHAPE, "skip_verify=false", "allow_destructive=true")
    assert run.exit_code == 0, run.out + run.err
    assert run.points["status"].tolist() == ["ok"] * 5
    loads = run.rounds[(run.rounds["phase"] == "load") & ~run.rounds["is_warmup"]]
    assert loads["verified_keys"].tolist() == [8] * 10
    assert list((tmp_path / "nixl").iterdir()) == []
    found = run.points.set_index("adapter_type")["lookup_answered_by"]
    assert found.dropna().to_dict() == {  # of native_plugin l2sweep does not know the class
        "raw_block": "index",
        "dax": "index",
        "nixl_store": "index",
        "nixl_store_dynamic": "client_cache",
    }


def test_a_point_over_the_capacity_of_its_adapter_is_skipped_with_the_reason(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    device = file_of(tmp_path / "device", 16)
    run = run_l2sweep(
        *("-m", "adapter=dax", f"adapter.device_path={device}", "adapter.max_dax_size_gb=0.01"),
        *("num_keys=4,64", "data_size_kb=64", "rounds=2", "allow_destructive=true"),
    )
    assert run.exit_code == 0, run.out + run.err
    assert "stores 192 keys of 64 KiB, 163 fit into dax" in run.out
    assert run.points["num_keys"].tolist() == [4]


def test_the_adapters_of_the_installed_lmcache_are_listed(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("adapters", "--format", "json")
    assert run.exit_code == 0, run.err
    found = {row["type"]: row for row in json.loads(run.out)}
    assert len(found) == 21
    assert (found["fs"]["state"], found["fs"]["needs"]) == ("usable", "")
    assert found["hf3fs"]["state"] == "missing: lmcache.lmcache_hf3fs"
    assert "build LMCache with its 3FS extension" in found["hf3fs"]["needs"]
    fields = {field["name"]: field for field in found["fs_native"]["fields"]}
    assert (fields["num_workers"]["type"], fields["num_workers"]["default"]) == ("int", 4)
