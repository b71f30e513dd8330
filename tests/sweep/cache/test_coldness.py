"""The state of a page cache in a phase and in each round, decided from every kind of evidence."""

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
from l2sweep.sweep.cache.coldness import (
    CacheEvidence,
    CacheJudge,
    device_read_fraction,
    smallest_device_read_fraction,
    why_never_cold,
    why_never_durable,
)
from l2sweep.sweep.cache.devices import StorageStack

HOT = point()
DISK = StorageStack(Storage(fs_type="ext4", block_device="vda"), devices=("vda",))
NFS = replace(DISK, devices=(), server="nfs4")
LOST = replace(DISK, devices=(), unknown="loop0, whose file cannot be found here")
LOOP = replace(DISK, loop_files=("/image",), is_buffered_below=True)
MEMORY = StorageStack(Storage(fs_type="tmpfs"), memory="tmpfs, whose files are memory")
DROPPED: dict[str, Any] = {
    "method": "drop_caches",
    "drops_metadata": True,
    "resident_at_start": 0.0,
    "resident_at_end": 1.0,
}
COMMAND = {"method": "command", "drops_metadata": False}
FS = {"type": "fs", "base_path": "/mnt/kv"}
DIRECT = {**FS, "use_odirect": True}
REMOTE = {"type": "resp", "host": "h", "port": 1}
RAW_BLOCK = {"type": "raw_block", "device_path": "/dev/vdz"}
PLUGIN = {"type": "plugin", "module_path": "m", "class_name": "C"}
IN_MEMORY = {"type": "fs", "base_path": "/dev/shm/kv"}


def cold_point(spec: dict[str, Any], **cache: Any) -> PointConfig:
    options: dict[str, Any] = {"mode": "cold", "drop_before": ["lookup", "load"], "method": "auto"}
    return replace(HOT, adapter_spec=spec, cache=CacheConfig(**{**options, **cache}))


def load(read_bytes: int | None, bytes_ok: int = 1000, **changes: Any) -> RoundMeasured:
    fields: dict[str, Any] = dict.fromkeys(RoundMeasured.__dataclass_fields__, 0)
    values = {"phase": "load", "bytes_ok": bytes_ok, "device_read_bytes": read_bytes, "is_warmup": False}
    return RoundMeasured(**{**fields, "block_device_read_bytes": None, **values, **changes})


def judge_of(
    config: PointConfig, stack: StorageStack = DISK, cold_requested: bool = True, **evidence: Any
) -> CacheJudge:
    measured = CacheEvidence(**{**DROPPED, **evidence})
    return CacheJudge(config, [stack], measured, cold_requested=cold_requested)


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
        ("claimed", FS, None, {"resident_at_start": None, **COMMAND}),
        ("cold", FS, 1000, COMMAND),  # what was observed stays cold
        ("warm", FS, 0, COMMAND),
        ("warm", FS, 1000, {"resident_at_start": 0.5, **COMMAND}),
        ("bypassed", DIRECT, 1000, {"resident_at_end": 0.0}),
        ("cold", DIRECT, 1000, {"resident_at_end": 1.0}),  # LMCache fell back to buffered reads silently
        ("warm", DIRECT, 0, {"resident_at_end": 0.0}),
        ("uncontrolled", FS, 1000, {"stack": NFS}),
        ("claimed", FS, 1000, {"stack": NFS, **COMMAND}),
        ("claimed", FS, None, {"stack": NFS, **COMMAND}),
        ("claimed", DIRECT, 1000, {"stack": NFS, "resident_at_end": 0.0, **COMMAND}),
        ("warm", FS, 0, {"stack": NFS, **COMMAND}),
        ("warm", FS, 1000, {"stack": NFS, "resident_at_start": 0.5, **COMMAND}),
        ("uncontrolled", FS, 1000, {"stack": LOST}),
        ("claimed", FS, 1000, {"stack": LOST, **COMMAND}),
        ("cold", FS, 1000, {"stack": LOOP}),
        ("warm", FS, 1000, {"stack": LOOP, "loop_files_stayed": True}),
        ("cold", DIRECT, 1000, {"stack": LOOP, "resident_at_end": 0.0}),  # through the cache of the file
        ("bypassed", DIRECT, 1000, {"stack": replace(LOOP, is_buffered_below=False), "resident_at_end": 0.0}),
        ("claimed", FS, 0, {"phase": "lookup", **COMMAND}),
        ("claimed", FS, 0, {"phase": "lookup", "stack": NFS, **COMMAND}),
        ("uncontrolled", REMOTE, 0, {}),
        ("claimed", REMOTE, 0, COMMAND),
        ("claimed", REMOTE, 0, {"phase": "lookup", **COMMAND}),
        ("claimed", PLUGIN, 0, COMMAND),
        ("uncontrolled", PLUGIN, 1000, {}),
        ("warm", FS, 0, {"cold_requested": False}),
        ("uncontrolled", FS, 500, {"cold_requested": False}),
        ("bypassed", DIRECT, 1000, {"cold_requested": False, "resident_at_end": 0.0}),
        ("uncontrolled", DIRECT, 1000, {"cold_requested": False, "resident_at_end": None}),
        ("uncontrolled", DIRECT, 1000, {"cold_requested": False, "stack": LOOP, "resident_at_end": 0.0}),
        ("warm", DIRECT, 1000, {"cold_requested": False, "stack": MEMORY, "resident_at_end": 0.0}),
        (None, {"type": "mock"}, 0, {"cold_requested": False}),
        (None, FS, 1000, {"phase": "store"}),
        (None, FS, 1000, {"phase": "store", "stack": MEMORY, "cold_requested": False}),
        ("cold", FS, 0, {"phase": "lookup"}),
        ("uncontrolled", FS, 0, {"phase": "lookup", "drops_metadata": False}),
        ("warm", FS, 0, {"phase": "lookup", "resident_at_start": 0.5}),
        ("warm", FS, 0, {"phase": "lookup", "stack": LOOP, "loop_files_stayed": True}),
        (None, FS, 0, {"phase": "lookup", "cold_requested": False}),
        (None, RAW_BLOCK, 0, {"phase": "lookup"}),  # its index is in the memory of the process
        (None, RAW_BLOCK, 0, {"phase": "lookup", **COMMAND}),
        ("bypassed", RAW_BLOCK, 1000, {"resident_at_end": 0.0}),
    ],
)
def test_the_state_follows_from_the_evidence(
    expected: str | None, spec: dict[str, Any], read_bytes: int | None, changes: dict[str, Any]
) -> None:
    phase = changes.get("phase", "load")
    judge = judge_of(cold_point(spec), **{name: value for name, value in changes.items() if name != "phase"})
    measured = load(read_bytes, phase=phase)
    assert (judge.phase_state(phase, [measured]), judge.round_state(measured)) == (expected, expected)


@pytest.mark.parametrize(
    ("expected", "by_process", "by_devices"),
    [
        ("cold", 1000, 900),
        ("warm", 1000, 899),  # memory served the loop device
        ("warm", 0, 10**9),  # other processes read from the device
        ("cold", None, 1000),
        ("warm", None, 0),
    ],
)
def test_both_the_process_and_the_lowest_device_must_have_read(
    expected: str, by_process: int | None, by_devices: int
) -> None:
    one = load(by_process, block_device_read_bytes=by_devices)
    assert judge_of(cold_point(FS), LOOP).round_state(one) == expected


@pytest.mark.parametrize(
    ("expected", "cold_requested", "read_bytes"),
    [
        ("cold", True, [1000, 1000]),
        ("warm", True, [1000, 1000, 0, 1000]),
        ("warm", False, [0, 0]),
        ("uncontrolled", False, [0, 1000]),
        ("uncontrolled", False, [500, 500]),
    ],
)
def test_the_measured_rounds_decide_the_state_of_a_phase(
    expected: str, cold_requested: bool, read_bytes: list[int]
) -> None:
    judge = judge_of(cold_point(FS), cold_requested=cold_requested)
    assert judge.phase_state("load", [load(one) for one in read_bytes]) == expected


@pytest.mark.parametrize(
    ("warmup_bytes", "read_bytes", "states"), [(0, 1000, ("warm", "cold")), (1000, 0, ("cold", "warm"))]
)
def test_a_warmup_round_has_a_state_but_does_not_decide(
    warmup_bytes: int, read_bytes: int, states: tuple[str, str]
) -> None:
    judge = judge_of(cold_point(FS))
    rounds = [load(warmup_bytes, is_warmup=True), load(read_bytes)]
    assert tuple(judge.round_state(one) for one in rounds) == states
    assert judge.phase_state("load", rounds) == states[1]


@pytest.mark.parametrize(
    ("expected", "cold_requested", "resident"),
    [("warm", True, 0.011), ("cold", True, 0.01), ("cold", True, None), ("uncontrolled", False, 0.5)],
)
def test_a_round_whose_own_pages_were_in_memory_is_warm_though_enough_was_read(
    expected: str, cold_requested: bool, resident: float | None
) -> None:
    judge = judge_of(cold_point(FS), cold_requested=cold_requested)
    rounds = [load(1000, resident_at_start_fraction=resident) for _ in range(2)]
    assert judge.phase_state("load", rounds) == judge.round_state(rounds[0]) == expected


def test_the_reason_of_a_warm_phase_names_the_round_that_was_read_ahead() -> None:
    ahead = {"resident_at_start_fraction": 1.0}
    rounds = [load(1000, is_warmup=True, **ahead), load(1000, round=2), load(1000, round=3, **ahead)]
    judge = judge_of(cold_point(FS))
    assert judge.phase_state("load", rounds) == "warm"
    assert judge.why_warm("load", rounds) == (
        "load: not cold: 100.0% of the pages of round 3 were in the page cache before it started"
    )
    assert judge.why_warm("load", [load(300, round=3, **ahead)]) == (
        "load: not cold: 100.0% of the pages of round 3 were in the page cache before it started, and only "
        "30.0% of round 3 came from the device"
    )
    direct = judge_of(cold_point(DIRECT), resident_at_end=0.0)
    assert direct.round_state(rounds[2]) == "warm"


def test_a_partial_round_is_judged_by_the_bytes_that_it_loaded() -> None:
    judge = judge_of(cold_point(FS))
    rounds = [load(500, 500), load(0, 0), load(1000)]
    assert [judge.round_state(one) for one in rounds] == ["cold", None, "cold"]
    assert judge.phase_state("load", rounds) == "cold"


def test_a_load_that_loaded_nothing_has_no_state() -> None:
    nothing = [load(0, bytes_ok=0)]
    assert judge_of(cold_point(FS)).phase_state("load", nothing) is None
    assert judge_of(cold_point(FS)).phase_state("load", []) is None
    assert smallest_device_read_fraction(nothing) is None


def test_a_load_that_was_not_run_because_it_would_start_warm_is_warm() -> None:
    judge = judge_of(cold_point(FS), resident_at_start=0.5)
    assert judge.phase_state("load", []) == "warm"
    assert judge.why_warm("load", []) == "load: not cold: 50.0% of its pages were in the page cache"


def test_the_reason_of_a_warm_phase_names_the_round_or_the_loop_file() -> None:
    rounds = [load(0, is_warmup=True, round=1), load(1000, round=2), load(300, round=3)]
    expected = "load: not cold: only 30.0% of round 3 came from the device"
    assert judge_of(cold_point(FS)).why_warm("load", rounds) == expected
    in_loop = judge_of(cold_point(FS), LOOP).why_warm("load", rounds)
    assert in_loop.startswith(expected)
    assert "losetup --direct-io=on" in in_loop
    assert judge_of(cold_point(FS), LOOP, loop_files_stayed=True).why_warm("load", rounds) == (
        "load: not cold: /image, the file of a loop device, was in the page cache"
    )


def test_the_pages_after_the_drop_count_only_if_the_process_did_not_measure_its_own() -> None:
    half = Residency(pages=10, resident_pages=5, dirty_pages=0)
    assert CacheEvidence().resident_after is None
    assert CacheEvidence(after=half).resident_after == 0.5
    assert CacheEvidence(after=half, resident_at_start=0.0).resident_after == 0.0


def test_the_device_read_fraction_is_that_of_the_worst_measured_round() -> None:
    rounds = [load(0, is_warmup=True), load(9000), load(500), load(1000), load(0, phase="store")]
    assert smallest_device_read_fraction(rounds) == 0.5
    assert smallest_device_read_fraction([*rounds, load(None)]) is None


def test_additional_reads_do_not_count() -> None:
    assert device_read_fraction(load(9000)) == 1
    assert device_read_fraction(load(9000, block_device_read_bytes=250)) == 0.25


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"type": "mock"}, "memory of its process"),
        (IN_MEMORY, "/dev/shm/kv is on tmpfs, whose files are memory"),
        (REMOTE, ""),
        ({"type": "fs", "base_path": "/"}, ""),
    ],
)
def test_a_point_that_can_never_be_cold_is_refused_with_the_reason(spec: dict[str, Any], reason: str) -> None:
    text = why_never_cold(cold_point(spec))
    assert reason in text
    assert bool(text) == bool(reason)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"type": "fs_native", "base_path": "/var", "num_workers": 1}, ""),
        ({"type": "mock"}, "the mock adapter keeps its data in the memory of its process"),
        ({"type": "resp", "host": "h"}, "the data of the resp adapter are not on this machine"),
        ({"type": "fs", "base_path": "/dev/shm/kv"}, "/dev/shm/kv is on tmpfs"),
    ],
)
def test_several_adapters_are_cold_only_if_each_of_them_can_be(second: dict[str, Any], reason: str) -> None:
    text = why_never_cold(cold_point({"type": "fs", "base_path": "/", "more_adapters": {"2": second}}))
    assert reason in text
    assert bool(text) == bool(reason)


def test_memory_is_never_durable() -> None:
    durable = cold_point(IN_MEMORY, store_durable=True)
    assert "/dev/shm/kv is on tmpfs" in why_never_durable(durable)
    assert why_never_durable(cold_point(IN_MEMORY)) == ""
    assert why_never_durable(replace(durable, only="load")) == ""
    assert why_never_durable(cold_point({"type": "fs", "base_path": "/"}, store_durable=True)) == ""


def test_a_hot_point_may_keep_its_data_in_memory() -> None:
    assert why_never_cold(replace(HOT, adapter_spec={"type": "mock"})) == ""
    assert why_never_cold(replace(HOT, adapter_spec={"type": "fs", "base_path": "/dev/shm/kv"})) == ""


def test_a_point_that_drops_nothing_may_be_on_a_memory_file_system() -> None:
    assert "tmpfs" in why_never_cold(cold_point(IN_MEMORY))
    assert why_never_cold(cold_point(IN_MEMORY, drop_before=[])) == ""
