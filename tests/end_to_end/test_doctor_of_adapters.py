"""``l2sweep doctor`` passes for every adapter that can run on a machine without a GPU."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import RunL2Sweep, plugin_option, require

MIB = 1 << 20
LAST = "lookup by another process"
IN_PROCESS = {"lookup": "ok", LAST: "not possible"}
"""What the steps of an adapter are whose index is lost with its process."""
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

Request = tuple[str, Sequence[str], dict[str, str]]
REQUESTS: list[Request] = [
    ("fs", (), {LAST: "ok"}),
    ("fs_native_16", (), {LAST: "ok"}),
    ("mock", (), IN_PROCESS),
    ("native_plugin", NATIVE, {LAST: "ok"}),
    ("raw_block", ("adapter.device_path=device", "allow_destructive=true"), {LAST: "ok", "O_DIRECT": "ok"}),
    (
        "dax",
        ("adapter.device_path=device", "adapter.max_dax_size_gb=0.01", "allow_destructive=true"),
        IN_PROCESS,
    ),
    ("nixl_posix_static", ("adapter.pool_size=16", "l1_align_bytes=65536"), IN_PROCESS),
    ("nixl_posix_dynamic", ("l1_align_bytes=65536",), {"load": "ok"}),
    ("resp", ("service=auto",), {LAST: "ok"}),
    ("valkey", ("service=auto",), {LAST: "ok"}),
    ("s3", ("service=seaweedfs",), {LAST: "ok"}),
    ("s3", ("service=moto",), {LAST: "ok"}),
]


@pytest.mark.parametrize(
    ("adapter", "options", "expected"),
    REQUESTS,
    ids=[" ".join([adapter, *options[:1]]) for adapter, options, _ in REQUESTS],
)
def test_the_adapter_passes(
    run_l2sweep: RunL2Sweep, tmp_path: Path, adapter: str, options: Sequence[str], expected: dict[str, str]
) -> None:
    if module := PACKAGES.get(adapter):
        require(importlib.util.find_spec(module), f"{module} is not installed")
    if any("device_path" in option for option in options):
        with (tmp_path / "device").open("wb") as file:
            file.truncate(512 * MIB)
    run = run_l2sweep("doctor", f"adapter={adapter}", "data_size_kb=64", *options, "--format", "json")
    assert run.exit_code == 0, run.out + run.err
    found = {step["name"]: step["outcome"] for step in json.loads(run.out)["steps"]}
    assert "failed" not in found.values()
    assert {name: found[name] for name in expected} == expected
    assert [path.name for path in tmp_path.iterdir()] in ([], ["device"])


def test_a_plugin_passes(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep(
        "doctor", plugin_option("faulty_adapters", "LockCounting", base_path=str(tmp_path / "kv"))
    )
    assert run.exit_code == 0, run.out + run.err


def test_nothing_of_the_services_is_left(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep("doctor", "adapter=resp", "service=auto")
    assert run.exit_code == 0, run.out + run.err
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed
