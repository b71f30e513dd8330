"""The judgement of a page cache, from every kind of evidence."""

from __future__ import annotations

from typing import Any

import pytest
from shipped import configuration, point

from l2sweep.bench.messages import RoundMeasured
from l2sweep.config.cache import CacheConfig
from l2sweep.config.point import PointConfig
from l2sweep.records.environment import Storage
from l2sweep.sweep.cache.coldness import CacheEvidence, cache_state, device_read_fraction, never_cold

DISK = Storage(fs_type="ext4", block_device="vda")
COLD = {"mode": "cold", "between": ["lookup", "load"], "method": "auto"}
DROPPED = {"method": "drop_caches", "drops_metadata": True, "resident_at_start": 0.0, "resident_at_end": 1.0}


def of_spec(spec: dict[str, Any] | None = None, **cache: Any) -> PointConfig:
    both = {**configuration()["cache"], **COLD, **cache}
    return point(cache=both, **({} if spec is None else {"adapter": spec}))


def load(read_bytes: int | None, bytes_ok: int = 1000) -> RoundMeasured:
    fields: dict[str, Any] = dict.fromkeys(RoundMeasured.__dataclass_fields__, 0)
    return RoundMeasured(**{**fields, "phase": "load", "bytes_ok": bytes_ok, "device_read_bytes": read_bytes})


def state(
    config: PointConfig,
    read_bytes: int | None,
    phase: str = "load",
    storage: Storage = DISK,
    asked_cold: bool = True,
    **evidence: Any,
) -> str | None:
    known = CacheEvidence(**{**DROPPED, **evidence})
    return cache_state(config, phase, [storage], known, [load(read_bytes)], asked_cold=asked_cold)


FS = {"type": "fs", "base_path": "/mnt/kv"}
DIRECT = {**FS, "use_odirect": True}


@pytest.mark.parametrize(
    ("expected", "spec", "read_bytes", "changes"),
    [
        ("cold", FS, 1000, {}),
        ("cold", FS, 901, {}),
        ("cold", FS, None, {}),  # /proc/self/io cannot be read: its pages are the proof
        ("warm", FS, 899, {}),  # read back between the look and the load
        ("warm", FS, 0, {}),
        ("warm", FS, 1000, {"resident_at_start": 0.011}),
        ("cold", FS, 1000, {"resident_at_start": 0.01}),
        ("cold", FS, 1000, {"resident_at_start": None}),
        ("warm", FS, 0, {"resident_at_start": None}),
        ("uncontrolled", FS, None, {"resident_at_start": None}),
        ("bypassed", DIRECT, 1000, {"resident_at_end": 0.0}),
        ("cold", DIRECT, 1000, {"resident_at_end": 1.0}),  # the silent fall-back to buffered reads
        ("warm", DIRECT, 0, {"resident_at_end": 0.0}),
        ("uncontrolled", FS, 1000, {"storage": Storage(fs_type="nfs4")}),
        ("uncontrolled", FS, 1000, {"storage": Storage(fs_type="fuse.sshfs")}),
        ("cold", FS, 1000, {"storage": Storage(fs_type="nfs4"), "method": "command"}),
        ("uncontrolled", FS, 0, {"phase": "lookup", "method": "command", "drops_metadata": False}),
        ("uncontrolled", {"type": "resp", "host": "h", "port": 1}, 0, {}),
        ("cold", {"type": "resp", "host": "h", "port": 1}, 0, {"method": "command"}),
        ("warm", FS, 0, {"asked_cold": False}),
        ("uncontrolled", FS, 500, {"asked_cold": False}),
        ("bypassed", DIRECT, 1000, {"asked_cold": False, "resident_at_end": 0.0}),
        ("uncontrolled", DIRECT, 1000, {"asked_cold": False, "resident_at_end": None}),  # not shown
        (None, {"type": "mock"}, 0, {"asked_cold": False}),
        (None, FS, 1000, {"phase": "store"}),
        ("cold", FS, 0, {"phase": "lookup"}),
        ("uncontrolled", FS, 0, {"phase": "lookup", "drops_metadata": False}),
        ("warm", FS, 0, {"phase": "lookup", "resident_at_start": 0.5}),
        (None, FS, 0, {"phase": "lookup", "asked_cold": False}),
    ],
)
def test_the_state_follows_from_what_was_seen(
    expected: str | None, spec: dict[str, Any], read_bytes: int | None, changes: dict[str, Any]
) -> None:
    assert state(of_spec(spec), read_bytes, **changes) == expected


def test_a_load_that_loaded_nothing_was_not_cold() -> None:
    nothing = [load(0, bytes_ok=0)]
    assert (
        cache_state(of_spec(FS), "load", [DISK], CacheEvidence(**DROPPED), nothing, asked_cold=True) is None
    )
    assert device_read_fraction(nothing) is None


def test_the_device_read_fraction_is_over_all_loads() -> None:
    assert device_read_fraction([load(1000, 1000), load(0, 3000)]) == 0.25
    assert device_read_fraction([load(1000, 1000), load(None, 3000)]) is None
    # What one round read besides does not make another one cold.
    assert device_read_fraction([load(9000, 1000), load(0, 1000)]) == 0.5


def test_what_cannot_be_cold_is_told_with_the_reason() -> None:
    assert "memory of its process" in never_cold(of_spec({"type": "mock"}))
    assert "tmpfs" in never_cold(of_spec({"type": "fs", "base_path": "/dev/shm/kv"}))
    assert never_cold(of_spec({"type": "resp", "host": "h", "port": 1})) == ""
    assert never_cold(point(adapter={"type": "mock"})) == ""  # hot


def test_a_cold_point_is_another_point_and_a_hot_one_is_the_same_as_ever() -> None:
    assert point().point_id == "a862b0d9f96e4c32"
    assert of_spec().point_id != point().point_id
    assert of_spec(method="fadvise").point_id == of_spec().point_id  # cold is cold
    durable = {**configuration()["cache"], "store_durable": True}
    assert point(cache=durable).point_id != point().point_id
    assert CacheConfig().measured == {}
