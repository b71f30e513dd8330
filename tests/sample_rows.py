"""Rows of the two data sets with a value in every column. Tests change the columns that they need."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

Row = dict[str, Any]

MIB = 1024 * 1024
SWEEP_ID = "20261124T000000Z-0000"
STEM = f"{SWEEP_ID}.00000.1"
"""Name of the files of these rows, without the extension."""
DATE = "date=2026-11-24"
"""Folder of the date of these rows."""
RECORD = f"{DATE}/{SWEEP_ID}/{STEM}.parquet"
"""Path of these files in the folder of their data set."""
OTHER_STEM = f"{SWEEP_ID}.00001.1"

_SHARED: Row = {
    "sweep_id": SWEEP_ID,
    "sweep_name": "nightly",
    "point_id": "0123456789abcdef",
    "point_index": 0,
    "repeat": 0,
    "attempt": 1,
    "adapter_type": "fs",
    "adapter_spec": json.dumps({"type": "fs", "base_path": "/mnt/nvme/kv"}),
    "model": "qwen2.5-7b",
    "num_keys": 4,
    "in_flight": 2,
    "data_size_kb": 256,
    "lookup_max_hit_rate": 0.5,
    "rounds": 3,
    "warmup_rounds": 1,
    "namespace": "l2sweep-x",
    "payload_namespace": "l2sweep-x",
    "seed": 7,
    "profile": None,
    "trace": None,
    "trace_speed": None,
    "host": "bench-1",
    "lmcache_version": "0.5.6",
    "through": "adapter",
    "concurrent": False,
    "release": None,
    "client": 0,
    "clients": 1,
    "hosts": 1,
    "fleet": None,
}


def round_row(phase: str = "store", number: int = 2, **changes: Any) -> Row:
    """Return a successful measured round: 8 keys of 256 KiB in 0.5 s."""
    is_lookup = phase == "lookup"
    row = {
        **_SHARED,
        "phase": phase,
        "round": number,
        "is_warmup": False,
        "status": "ok",
        "detail": "",
        "started_at": datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC),
        "duration_s": 0.5,
        "keys_requested": 8,
        "keys_expected": 4 if is_lookup else 8,
        "keys_ok": 4 if is_lookup else 8,
        "bytes_requested": 0 if is_lookup else 2 * MIB,
        "bytes_ok": 0 if is_lookup else 2 * MIB,
        "submit_latency_s": [0.25, 0.5],
        "submit_unfinished_s": [],
        "verified_keys": 8 if phase == "load" else 0,
        "sampled_keys": 8 if phase == "load" else 0,
        "mismatched_keys": 0,
        "false_hits": 0 if is_lookup else None,
        "false_misses": 0 if is_lookup else None,
        "cpu_user_s": 0.1,
        "cpu_sys_s": 0.2,
        "device_read_bytes": 2**40,
        "device_write_bytes": 2**41,
        "flush_s": None if phase == "lookup" else 0.5,
        "elapsed_s": 0.5,
        "block_device_read_bytes": 2**40,
        "block_device_write_bytes": 2**41,
        "block_device_reads": 64,
        "block_device_writes": 32,
        "block_device_flushes": 1,
        "block_device_read_time_s": 0.75,
        "block_device_write_time_s": 0.25,
        "block_device_queue_s": 1.0,
        "block_device_busy_s": 0.4,
        "dirty_after_flush_bytes": None if phase == "lookup" else 0,
        "resident_at_start_fraction": 0.0 if phase == "load" else None,
        "cache_state": None if phase == "store" else "cold",
        "lookup_answered_by": "server" if is_lookup else None,
        "stored_bytes": MIB if phase == "store" else None,
        "evicted_keys": 0 if phase == "load" else None,
        "loaded_from": [],
        "beside_fraction": 0.75 if phase.startswith("mixed_") else None,
        "second": None,
        "late_s": [],
        "start_skew_s": 0.0,
        "submit_started_s": [],
        "clock_offset_s": 0.25,
        "clock_error_s": 0.001,
    }
    unknown = set(changes) - set(row)
    assert not unknown, unknown
    return {**row, **changes}


def timed_out(phase: str, number: int = 2, **changes: Any) -> Row:
    """Return a round in which one of two submits did not complete in time."""
    half: Row = {
        "status": "timeout",
        "detail": "1 submits did not complete in time",
        "duration_s": None,
        "keys_ok": 0 if phase == "lookup" else 4,
        "bytes_ok": 0 if phase == "lookup" else MIB,
        "submit_latency_s": [0.25],
        "submit_unfinished_s": [1.0],
        "elapsed_s": 1.0,
    }
    return round_row(phase, number, **{**half, **changes})


def second_of_trace(phase: str, second: int = 0, **changes: Any) -> Row:
    """Return a second of a trace in which 8 keys of 256 KiB were moved or looked up by two submits."""
    own: Row = {
        "second": second,
        "duration_s": 1.0,
        "elapsed_s": 1.0,
        "late_s": [0.0, 1.0],
        "trace": "conversations.jsonl 0123456789ab",
        "trace_speed": 1.0,
    }
    return round_row(phase, second + 1, **{**own, **changes})


def nothing_moved(phase: str, number: int = 2, **changes: Any) -> Row:
    """Return a round that failed after 1 ms and moved or found no key."""
    nothing: Row = {"status": "error", "detail": "nothing moved", "duration_s": 0.001}
    return round_row(phase, number, **{**nothing, "keys_ok": 0, "bytes_ok": 0, "verified_keys": 0, **changes})


def point_row(**changes: Any) -> Row:
    """Return a successful process that ran all three phases of a point."""
    row = {
        **_SHARED,
        "phase": "all",
        "status": "ok",
        "exit_code": 0,
        "signal": 9,
        "detail": "none",
        "precision": None,
        "max_seconds": None,
        "warmup_auto": False,
        **rounds_ended(None, None, None),
        "skip_verify": False,
        "only": "load",
        "l1_align_bytes": 4096,
        "l1_use_hugepages": False,
        "keep_data": True,
        "keys_left": 0,
        "isolation": "forkserver",
        "started_at": datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC),
        "wall_s": 4.7,
        "adapter_create_s": 0.3,
        "peak_rss_bytes": 2**33,
        "log_file": "sweeps/a/point-00000.log",
        "overrides": ["num_keys=4", "adapter.password=***"],
        "l2sweep_version": "0.1.0",
        "torch_version": "2.13.0",
        "python_version": "3.11.7",
        "kernel": "Linux 6.1",
        "cpu_model": "EPYC",
        "cpu_count": 8,
        "memory_bytes": 2**36,
        "fs_type": "ext4",
        "mount_point": "/mnt/nvme",
        "mount_options": "rw,relatime",
        "block_device": "nvme0n1",
        "block_device_model": "SAMSUNG MZQL23T8HCLS",
        "effective_odirect": True,
        "cache_mode": "hot",
        "cache_method": "drop_caches",
        "cache_state": "cold",
        "resident_before_fraction": 1.0,
        "resident_after_fraction": 0.0,
        "resident_at_end_fraction": 1.0,
        "dirty_before_fraction": 0.25,
        "dirty_after_fraction": 0.0,
        "drop_s": 0.7,
        "device_read_fraction": 0.98,
        "block_device_read_bytes": 2**34,
        "config_git_commit": "0" * 40 + "-dirty",
        "lookup_answered_by": "server",
        "serde_tolerance": 0.0625,
        "service": "redis",
    }
    unknown = set(changes) - set(row)
    assert not unknown, unknown
    return {**row, **changes}


def rounds_ended(ended_by: str | None, warmup_ended_by: str | None, precision: float | None) -> Row:
    """Return the columns that say why the rounds of each phase ended."""
    columns = {
        "rounds_ended_by": ended_by,
        "warmup_ended_by": warmup_ended_by,
        "precision_reached": precision,
    }
    return {
        f"{phase}_{name}": value for phase in ("store", "lookup", "load") for name, value in columns.items()
    }


def auto_point_row(**changes: Any) -> Row:
    """Return a process like that of :func:`point_row`, but rounds went on until they were precise."""
    auto: Row = {
        "rounds": 50,
        "precision": 0.05,
        "max_seconds": 120.0,
        "warmup_rounds": 20,
        "warmup_auto": True,
    }
    return point_row(**{**auto, **rounds_ended("precision", "steady", 0.041), **changes})
