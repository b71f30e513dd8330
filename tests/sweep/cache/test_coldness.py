"""The state of a page cache, decided from every kind of evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shipped import point

from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.page_cache import Residency
from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.records.environment import Storage
from l2sweep.sweep.cache import coldness
from l2sweep.sweep.cache.coldness import (
    CacheEvidence,
    cache_state,
    device_read_fraction,
    hides_pages,
    is_network,
    why_never_cold,
)

HOT = point()
DISK = Storage(fs_type="ext4", block_device="vda")
DROPPED: dict[str, Any] = {
    "method": "drop_caches",
    "drops_metadata": True,
    "resident_at_start": 0.0,
    "resident_at_end": 1.0,
}
FS = {"type": "fs", "base_path": "/mnt/kv"}
DIRECT = {**FS, "use_odirect": True}
REMOTE = {"type": "resp", "host": "h", "port": 1}


def cold_point(spec: dict[str, Any], **cache: Any) -> PointConfig:
    options: dict[str, Any] = {"mode": "cold", "drop_before": ["lookup", "load"], "method": "auto"}
    return replace(HOT, adapter_spec=spec, cache=CacheConfig(**{**options, **cache}))


def load(read_bytes: int | None, bytes_ok: int = 1000) -> RoundMeasured:
    fields: dict[str, Any] = dict.fromkeys(RoundMeasured.__dataclass_fields__, 0)
    return RoundMeasured(**{**fields, "phase": "load", "bytes_ok": bytes_ok, "device_read_bytes": read_bytes})


def state(
    config: PointConfig,
    read_bytes: int | None,
    phase: str = "load",
    storage: Storage = DISK,
    cold_requested: bool = True,
    **evidence: Any,
) -> str | None:
    measured = CacheEvidence(**{**DROPPED, **evidence})
    return cache_state(config, phase, [storage], measured, [load(read_bytes)], cold_requested=cold_requested)


@pytest.mark.parametrize(
    ("expected", "spec", "read_bytes", "changes"),
    [
        ("cold", FS, 1000, {}),
        ("cold", FS, 901, {}),
        ("cold", FS, None, {}),  # /proc/self/io cannot be read: the resident pages are the proof
        ("warm", FS, 899, {}),  # read back between the measurement of the pages and the load
        ("warm", FS, 0, {}),
        ("warm", FS, 1000, {"resident_at_start": 0.011}),
        ("cold", FS, 1000, {"resident_at_start": 0.01}),
        ("cold", FS, 1000, {"resident_at_start": None}),
        ("warm", FS, 0, {"resident_at_start": None}),
        ("uncontrolled", FS, None, {"resident_at_start": None}),
        ("bypassed", DIRECT, 1000, {"resident_at_end": 0.0}),
        ("cold", DIRECT, 1000, {"resident_at_end": 1.0}),  # LMCache fell back to buffered reads silently
        ("warm", DIRECT, 0, {"resident_at_end": 0.0}),
        ("uncontrolled", FS, 1000, {"storage": Storage(fs_type="nfs4")}),
        ("uncontrolled", FS, 1000, {"storage": Storage(fs_type="fuse.sshfs")}),
        ("cold", FS, 1000, {"storage": Storage(fs_type="nfs4"), "method": "command"}),
        ("uncontrolled", FS, 0, {"phase": "lookup", "method": "command", "drops_metadata": False}),
        ("uncontrolled", REMOTE, 0, {}),
        ("cold", REMOTE, 0, {"method": "command"}),
        ("warm", FS, 0, {"cold_requested": False}),
        ("uncontrolled", FS, 500, {"cold_requested": False}),
        ("bypassed", DIRECT, 1000, {"cold_requested": False, "resident_at_end": 0.0}),
        ("uncontrolled", DIRECT, 1000, {"cold_requested": False, "resident_at_end": None}),
        (None, {"type": "mock"}, 0, {"cold_requested": False}),
        (None, FS, 1000, {"phase": "store"}),
        ("cold", FS, 0, {"phase": "lookup"}),
        ("uncontrolled", FS, 0, {"phase": "lookup", "drops_metadata": False}),
        ("warm", FS, 0, {"phase": "lookup", "resident_at_start": 0.5}),
        (None, FS, 0, {"phase": "lookup", "cold_requested": False}),
    ],
)
def test_the_state_follows_from_the_evidence(
    expected: str | None, spec: dict[str, Any], read_bytes: int | None, changes: dict[str, Any]
) -> None:
    assert state(cold_point(spec), read_bytes, **changes) == expected


def test_a_load_that_loaded_nothing_has_no_state() -> None:
    nothing = [load(0, bytes_ok=0)]
    evidence = CacheEvidence(**DROPPED)
    assert cache_state(cold_point(FS), "load", [DISK], evidence, nothing, cold_requested=True) is None
    assert device_read_fraction(nothing) is None


def test_the_pages_after_the_drop_count_only_if_the_process_did_not_measure_its_own() -> None:
    half = Residency(pages=10, resident_pages=5, dirty_pages=0)
    assert CacheEvidence().resident_after is None
    assert CacheEvidence(after=half).resident_after == 0.5
    assert CacheEvidence(after=half, resident_at_start=0.0).resident_after == 0.0


def test_the_device_read_fraction_is_over_all_loads() -> None:
    assert device_read_fraction([load(1000, 1000), load(0, 3000)]) == 0.25
    assert device_read_fraction([load(1000, 1000), load(None, 3000)]) is None


def test_additional_reads_of_one_round_do_not_make_another_round_cold() -> None:
    assert device_read_fraction([load(9000, 1000), load(0, 1000)]) == 0.5


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"type": "mock"}, "memory of its process"),
        ({"type": "fs", "base_path": "/mnt/memory"}, "/mnt/memory is on tmpfs"),
        (REMOTE, ""),
        (FS, ""),
    ],
)
def test_a_point_that_can_never_be_cold_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], reason: str
) -> None:
    class FakeStorage(Storage):
        @classmethod
        def behind(cls, path: str | None) -> Storage:
            return Storage(fs_type="tmpfs" if path == "/mnt/memory" else "ext4")

    monkeypatch.setattr(coldness, "Storage", FakeStorage)
    text = why_never_cold(cold_point(spec))
    assert reason in text
    assert bool(text) == bool(reason)


def test_a_hot_point_may_keep_its_data_in_memory() -> None:
    assert why_never_cold(replace(HOT, adapter_spec={"type": "mock"})) == ""
    assert why_never_cold(replace(HOT, adapter_spec={"type": "fs", "base_path": "/dev/shm/kv"})) == ""


def test_a_point_that_drops_nothing_may_be_on_a_memory_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Storage, "behind", lambda path: Storage(fs_type="tmpfs"))
    assert "tmpfs" in why_never_cold(cold_point(FS))
    assert why_never_cold(cold_point(FS, drop_before=[])) == ""


@pytest.mark.parametrize(
    ("fs_type", "hidden", "network"),
    [
        ("ext4", False, False),
        ("overlay", True, False),
        ("zfs", True, False),
        ("nfs4", False, True),
        ("fuse.sshfs", False, True),
        (None, False, False),
    ],
)
def test_the_file_system_tells_whether_pages_are_hidden_and_whether_a_server_holds_the_data(
    fs_type: str | None, hidden: bool, network: bool
) -> None:
    storage = Storage(fs_type=fs_type)
    assert (hides_pages(storage), is_network(storage)) == (hidden, network)
