"""What a point needs, and the reasons why it cannot run here."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shipped import point

from l2sweep.sweep.checks import feasibility
from l2sweep.sweep.checks.feasibility import Needs, available_memory_bytes, not_installed, why_infeasible

MIB = 1 << 20
GIB = 1 << 30
PROCESS_BYTES = 400 * MIB
FS = {"type": "fs", "base_path": "/mnt/kv"}
MOCK = {"type": "mock", "max_size_gb": 4}
REMOTE = {"type": "resp", "host": "h", "port": 1}
# 4 x 2 keys of 256 KiB are 2 MiB a round; 1 warm-up and 3 measured rounds are 8 MiB a phase.
SMALL = replace(point(), num_keys=4, in_flight=2, data_size_kb=256, rounds=3, warmup_rounds=1)
Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the machine 1 GiB of memory and 1 GiB of free disk space."""
    monkeypatch.setattr(feasibility, "available_memory_bytes", lambda: GIB)
    monkeypatch.setattr(feasibility.shutil, "disk_usage", lambda path: Usage(GIB, 0, GIB))


@pytest.mark.parametrize(
    ("changes", "memory_mib", "write_mib", "read_mib"),
    [
        ({}, 400 + 2 * 2, 8, 8),
        ({"only": "store"}, 400 + 2, 8, 0),
        ({"only": "load"}, 400 + 2, 0, 8),
        ({"only": "lookup"}, 400 + 2, 0, 0),
        ({"adapter_spec": MOCK}, 400 + 2 * 2 + 8, 8, 8),
        ({"warmup_rounds": 0}, 400 + 2 * 2, 6, 6),
    ],
)
def test_the_needs_follow_from_the_phases_the_rounds_and_the_adapter(
    changes: dict[str, Any], memory_mib: int, write_mib: int, read_mib: int
) -> None:
    expected = Needs(memory_mib * MIB, write_mib * MIB, read_mib * MIB)
    assert Needs.of(replace(SMALL, **changes)) == expected


def test_a_point_that_fits_is_feasible() -> None:
    assert why_infeasible(replace(SMALL, adapter_spec=FS)) == ""


def test_a_point_that_needs_more_memory_than_is_available_is_infeasible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feasibility, "available_memory_bytes", lambda: PROCESS_BYTES + 4 * MIB)
    assert why_infeasible(replace(SMALL, adapter_spec=FS)) == ""
    monkeypatch.setattr(feasibility, "available_memory_bytes", lambda: PROCESS_BYTES + 4 * MIB - 1)
    assert why_infeasible(SMALL) == "needs 0.39 GiB of memory, 0.39 GiB are available"


def test_a_point_that_writes_more_than_the_free_space_is_infeasible(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Path] = []

    def disk_usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(GIB, 0, 8 * MIB - 1)

    monkeypatch.setattr(feasibility.shutil, "disk_usage", disk_usage)
    full = replace(SMALL, adapter_spec={**FS, "base_path": f"{tmp_path}/not/yet"})
    reason = why_infeasible(full)
    assert reason == f"needs 0.01 GiB of space below {tmp_path}/not/yet, 0.01 GiB are free"
    assert asked == [tmp_path]  # the nearest folder that exists
    assert why_infeasible(replace(full, only="load")) == ""


def test_a_point_that_writes_more_than_its_budget_is_infeasible() -> None:
    written_gb = 8 * MIB / 1e9
    small = replace(SMALL, adapter_spec=FS)
    assert why_infeasible(small, budget_disk_gb=written_gb) == ""
    assert why_infeasible(small, budget_disk_gb=0.008) == "writes 0.01 GB, more than budget.disk_gb=0.008"
    assert why_infeasible(replace(small, only="load"), budget_disk_gb=0.008) == ""


@pytest.mark.parametrize("spec", [REMOTE, MOCK])
def test_the_disk_does_not_limit_an_adapter_that_writes_none(spec: dict[str, Any]) -> None:
    assert why_infeasible(replace(SMALL, adapter_spec=spec), budget_disk_gb=0.001) == ""


def test_the_free_space_does_not_limit_a_block_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_block_device", lambda self: str(self) == "/dev/fake")
    device = replace(SMALL, adapter_spec={"type": "raw_block", "device_path": "/dev/fake"})
    assert why_infeasible(device, budget_disk_gb=0.001) == ""
    file = replace(SMALL, adapter_spec={"type": "raw_block", "device_path": "/mnt/file"})
    assert "budget.disk_gb" in why_infeasible(file, budget_disk_gb=0.001)


def test_a_point_over_the_capacity_of_its_adapter_runs_where_lmcache_evicts_keys() -> None:
    spec = {"type": "dax", "device_path": "/dev/fake", "max_dax_size_gb": 0.001, "slot_bytes": 1 << 20}
    over = replace(SMALL, adapter_spec=spec, through="storage_manager")
    assert "1 fit into dax" in why_infeasible(over)
    evicting = {**spec, "eviction": {"eviction_policy": "LRU"}}
    assert why_infeasible(replace(over, adapter_spec=evicting)) == ""
    alone = replace(over, adapter_spec=evicting, through="adapter")  # refused when it is read
    assert "fit into dax" in why_infeasible(alone)
    for policy in ("IsolatedLRU", "noop"):
        spec["eviction"] = {"eviction_policy": policy}
        reason = why_infeasible(replace(over, adapter_spec=dict(spec)))
        assert bool(reason) == (policy == "noop")


def test_each_place_of_several_adapters_needs_the_space() -> None:
    more = {"2": {"type": "fs", "base_path": "/mnt/b"}}
    two = replace(SMALL, adapter_spec={**FS, "more_adapters": more}, through="storage_manager")
    needs = Needs.of(two).write_bytes
    assert why_infeasible(two, budget_disk_gb=2 * needs / 1e9) == ""
    assert "more than budget.disk_gb" in why_infeasible(two, budget_disk_gb=1.9 * needs / 1e9)


def test_a_point_whose_program_is_not_installed_is_infeasible(monkeypatch: pytest.MonkeyPatch) -> None:
    fio = replace(SMALL, adapter_spec={"type": "fio", "base_path": "/mnt/kv"})
    monkeypatch.setattr(feasibility.shutil, "which", lambda name: None)
    assert why_infeasible(fio) == not_installed("fio") == "fio is not installed"
    assert why_infeasible(replace(SMALL, adapter_spec=FS)) == ""
    monkeypatch.setattr(feasibility.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert why_infeasible(fio) == ""


@pytest.mark.parametrize(
    ("meminfo", "expected_bytes"),
    [
        ("MemTotal:  2000 kB\nMemFree:  10 kB\nMemAvailable:    1500 kB\n", 1500 * 1024),
        ("MemTotal:  2000 kB\n", 1 << 62),
    ],
)
def test_the_available_memory_is_what_the_kernel_reports(
    monkeypatch: pytest.MonkeyPatch, meminfo: str, expected_bytes: int
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self: meminfo)
    assert available_memory_bytes() == expected_bytes
