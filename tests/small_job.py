"""Small jobs for benchmark processes, and access to LMCache's adapters, for tests of l2sweep.bench."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter.create import create, object_keys, parse_spec
from l2sweep.bench.adapter.verbs import Submit
from l2sweep.bench.data.buffers import L1Buffer, Region, allocate, region
from l2sweep.bench.job import Job
from l2sweep.bench.workload import Workload

KIB = 1024
KEY_BYTES = 4 * KIB
NAMESPACE = "test"

WORKLOAD: dict[str, Any] = {
    "num_keys": 2,
    "in_flight": 2,
    "data_size_kb": 4,
    "rounds": 2,
    "warmup_rounds": 1,
    "lookup_max_hit_rate": 0.5,
    "seed": 42,
    "l1_align_bytes": 4096,
    "l1_use_hugepages": False,
}


def small_workload(**changes: Any) -> Workload:
    """Return a workload of 1 warm-up and 2 measured rounds of 2 submits of 2 keys of 4 KiB."""
    return Workload(**{**WORKLOAD, **changes})


def small_job(adapter_spec: dict[str, Any], workload: Workload | None = None, **changes: Any) -> Job:
    """Return a job of all three phases that leaves no keys behind."""
    fields: dict[str, Any] = {
        "phases": ("store", "lookup", "load"),
        "namespace": NAMESPACE,
        "fresh_namespace": True,
        "verify": True,
        "delete_before": False,
        "delete_after": True,
        "timeout_s": {"store": 10.0, "lookup": 10.0, "load": 10.0},
        "keys_stored": True,
    }
    return Job(adapter_spec=adapter_spec, workload=workload or small_workload(), **{**fields, **changes})


def fs_spec(folder: Path) -> dict[str, Any]:
    return {"type": "fs", "base_path": str(folder / "kv")}


def mock_spec() -> dict[str, Any]:
    """Return the spec of LMCache's mock adapter: 1 GB large, and so fast that it does not sleep."""
    return {"type": "mock", "max_size_gb": 1, "mock_bandwidth_gb": 1000}


def small_buffer(num_regions: int = 1) -> L1Buffer:
    return allocate(small_workload(), num_regions)


def small_region() -> Region:
    return region(small_buffer(), small_workload(), 0)


def open_adapter(spec: dict[str, Any]) -> L2AdapterInterface:
    return create(parse_spec(spec), small_buffer())


def submit(indices: Sequence[int], memory: Region | None = None) -> Submit:
    """Return a submit of keys, with the first slots of a region as their memory."""
    objects = [] if memory is None else [one for submit in memory.submits for one in submit][: len(indices)]
    return Submit(list(indices), object_keys(indices, NAMESPACE), objects)
