"""``l2sweep doctor`` passes for every adapter that can run on a machine without a GPU."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from conftest import RunL2Sweep, plugin_option, require

MIB = 1 << 20
SEEN = Path(__file__).parents[2] / "docs/adapters_seen.json"
WRITE_SEEN = "L2SWEEP_WRITE_SEEN"
"""Environment variable: write what is seen into this file, instead of comparing it."""
PACKAGES = {
    "valkey": "glide_sync",
    "raw_block": "lmcache_rust_raw_block_io",
    "nixl_posix_static": "nixl",
    "nixl_posix_dynamic": "nixl",
}

NATIVE = (
    "adapter.module_path=lmcache.lmcache_fs",
    "adapter.class_name=LMCacheFSClient",
    "+adapter.adapter_params={base_path: kv, num_workers: 2}",
)

ON_DEVICE = ("adapter.device_path=device", "allow_destructive=true")
PLUGIN = plugin_option("faulty_adapters", "LockCounting", base_path="kv")

REQUESTS: dict[str, Sequence[str]] = {
    "fs": ("adapter=fs",),
    "fs_native": ("adapter=fs_native",),
    "fs_native_16": ("adapter=fs_native_16",),
    "mock": ("adapter=mock",),
    "plugin": (PLUGIN,),
    "native_plugin": ("adapter=native_plugin", *NATIVE),
    "raw_block": ("adapter=raw_block", *ON_DEVICE),
    "dax": ("adapter=dax", "adapter.max_dax_size_gb=0.01", *ON_DEVICE),
    "nixl_posix_static": ("adapter=nixl_posix_static", "adapter.pool_size=16", "l1_align_bytes=65536"),
    "nixl_posix_dynamic": ("adapter=nixl_posix_dynamic", "l1_align_bytes=65536"),
    "resp service=auto": ("adapter=resp", "service=auto"),
    "valkey service=auto": ("adapter=valkey", "service=auto"),
    "s3 service=seaweedfs": ("adapter=s3", "service=seaweedfs"),
    "s3 service=moto": ("adapter=s3", "service=moto"),
}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_the_adapter_passes_as_documented(run_l2sweep: RunL2Sweep, tmp_path: Path, request_name: str) -> None:
    options = REQUESTS[request_name]
    if module := PACKAGES.get(request_name.partition(" ")[0]):
        require(importlib.util.find_spec(module), f"{module} is not installed")
    if any("device_path" in option for option in options):
        with (tmp_path / "device").open("wb") as file:
            file.truncate(512 * MIB)
    run = run_l2sweep("doctor", "data_size_kb=64", *options, "--format", "json")
    assert run.exit_code == 0, run.out + run.err
    steps = {step["name"]: step["outcome"] for step in json.loads(run.out)["steps"]}
    assert "failed" not in steps.values()
    assert steps["load"] == "ok"
    if os.environ.get(WRITE_SEEN):
        write_seen(request_name, steps)
    assert steps == seen()[request_name]["steps"]
    assert [path.name for path in tmp_path.iterdir()] in ([], ["device"])


def test_the_document_lists_what_is_examined() -> None:
    assert set(seen()) == set(REQUESTS)


def seen() -> dict[str, dict[str, Any]]:
    return json.loads(SEEN.read_text())["requests"] if SEEN.exists() else {}


def write_seen(request_name: str, steps: dict[str, str]) -> None:
    found = seen()
    found[request_name] = {**found.get(request_name, {}), "steps": steps}
    written = {"lmcache_version": version("lmcache"), "requests": dict(sorted(found.items()))}
    SEEN.write_text(json.dumps(written, indent=2) + "\n")


def test_nothing_of_the_services_is_left(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep("doctor", "adapter=resp", "service=auto")
    assert run.exit_code == 0, run.out + run.err
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
