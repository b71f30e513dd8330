"""Records of a fleet with made numbers, written as a compaction writes them, and fast.

A night is one sweep. Each host runs the same points, each of them as one process with 21 rounds: a warm-up
and 6 measured rounds of each phase. The rounds have every column that ``fs`` fills.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from l2sweep.records import schema
from l2sweep.records.files import POINTS, ROUNDS, compacted_name
from l2sweep.records.reading.intact import TEXT
from l2sweep.records.storage.compacted_file import in_file_order, write_compacted
from l2sweep.records.storage.layout import make_folder, records_folder

MEASURED = 6
PHASES = ("store", "lookup", "load")
SWEEP_NAME = "fleet"
_KEYS, _IN_FLIGHT, _REPORTED = 16, 4, 4
_FIRST = datetime(2026, 11, 1, 1, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Fleet:
    """What a night measures.

    Attributes:
        hosts: Number of hosts.
        points: Number of points that each host measures.
    """

    hosts: int
    points: int

    @property
    def rows(self) -> int:
        """Number of rounds of a night."""
        return self.hosts * self.points * len(PHASES) * (MEASURED + 1)

    def write_night(self, results_dir: Path, number: int) -> str:
        """Write the sweep of a night, and return its id.

        Args:
            results_dir: Folder of the data sets.
            number: Number of the night, from 0.
        """
        began = _FIRST + timedelta(days=number)
        sweep_id = f"{began:%Y%m%dT%H%M%SZ}-{number:04x}"
        (results_dir / "sweeps" / sweep_id).mkdir(parents=True)
        draw = np.random.default_rng(number)
        same = self._of_processes(sweep_id, began)
        rounds = [_rounds(same, phase, began, draw) for phase in PHASES]
        for data_set, parts, columns in (
            (ROUNDS, rounds, schema.ROUNDS),
            (POINTS, [_processes(same, began, draw)], schema.POINTS),
        ):
            folder = records_folder(results_dir, data_set, sweep_id, began)
            make_folder(folder)
            table = pa.concat_tables(_table(part, columns) for part in parts).unify_dictionaries()
            write_compacted(folder / compacted_name(sweep_id, 1), in_file_order(table), columns)
        return sweep_id

    def point_id(self, point: int) -> str:
        """Return the id of a point."""
        return f"{(point + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}"

    def _of_processes(self, sweep_id: str, began: datetime) -> dict[str, Any]:
        """Return the columns that a process has in both data sets, a value for each process."""
        count = self.hosts * self.points
        point, host = np.arange(count) % self.points, np.arange(count) // self.points
        specs = [
            json.dumps({"type": "fs", "base_path": "/mnt/nvme/l2sweep", "num_workers": 1 << one % 5})
            for one in range(self.points)
        ]
        sizes_kb = np.array([256 << one % 4 for one in range(self.points)])
        names = [f"l2sweep-{one:016x}-{sweep_id}-{one}-1-abcdef" for one in range(count)]
        return {
            "sweep_id": sweep_id,
            "sweep_name": SWEEP_NAME,
            "point_id": _texts(point, [self.point_id(one) for one in range(self.points)]),
            "point_index": np.arange(count),
            "repeat": 0,
            "attempt": 1,
            "adapter_type": "fs",
            "adapter_spec": _texts(point, specs),
            "num_keys": _KEYS,
            "in_flight": _IN_FLIGHT,
            "data_size_kb": sizes_kb[point],
            "lookup_max_hit_rate": 1.0,
            "rounds": MEASURED,
            "warmup_rounds": 1,
            "namespace": _texts(np.arange(count), names),
            "payload_namespace": _texts(np.arange(count), names),
            "seed": 7,
            "cache_state": "cold",
            "host": _texts(host, [f"bench-{one:05d}" for one in range(self.hosts)]),
            "lmcache_version": "0.5.6",
            "through": "adapter",
            "concurrent": False,
            "client": 0,
            "clients": 1,
        }


def _rounds(
    same: Mapping[str, Any], phase: str, began: datetime, draw: np.random.Generator
) -> dict[str, Any]:
    """Return the rounds of a phase in the order of a compacted file: by process, then by round."""
    processes = len(same["point_index"])
    of_process = np.repeat(np.arange(processes), MEASURED + 1)
    number = np.tile(np.arange(1, MEASURED + 2), processes)
    rows = len(number)
    duration_s = draw.lognormal(-4, 0.1, rows)
    moved = 0 if phase == "lookup" else (same["data_size_kb"] * 1024 * _KEYS * _IN_FLIGHT)[of_process]
    is_store, is_load = phase == "store", phase == "load"
    return {
        **{name: _taken(value, of_process) for name, value in same.items()},
        "phase": phase,
        "round": number,
        "is_warmup": number == 1,
        "status": "ok",
        "detail": "",
        "started_at": _times(began, of_process % 1000 * 60 + number),
        "duration_s": duration_s,
        "keys_requested": _KEYS * _IN_FLIGHT,
        "keys_expected": _KEYS * _IN_FLIGHT,
        "keys_ok": _KEYS * _IN_FLIGHT,
        "bytes_requested": moved,
        "bytes_ok": moved,
        "submit_latency_s": _lists(duration_s[:, None] * draw.random((rows, _REPORTED))),
        "submit_unfinished_s": _lists(np.empty((rows, 0))),
        "verified_keys": 0,
        "sampled_keys": _KEYS if is_load else 0,
        "mismatched_keys": 0,
        "false_hits": 0,
        "false_misses": 0,
        "cpu_user_s": duration_s / 3,
        "cpu_sys_s": duration_s / 2,
        "device_read_bytes": moved if is_load else 0,
        "device_write_bytes": moved if is_store else 0,
        "elapsed_s": duration_s,
        "block_device_read_bytes": moved if is_load else 0,
        "block_device_write_bytes": moved if is_store else 0,
        "block_device_reads": draw.integers(100, 200, rows) if is_load else 0,
        "block_device_writes": draw.integers(100, 200, rows) if is_store else 0,
        "block_device_flushes": 0,
        "block_device_read_time_s": np.round(duration_s * 8, 3),
        "block_device_write_time_s": 0.0,
        "block_device_queue_s": np.round(duration_s * 8, 3),
        "block_device_busy_s": np.round(duration_s, 3),
        "resident_at_start_fraction": 0.0 if is_load else None,
        "stored_bytes": moved if is_store else None,
        "lookup_answered_by": "index" if phase == "lookup" else None,
        "start_skew_s": 0.0,
        "submit_started_s": _lists(duration_s[:, None] * draw.random((rows, _REPORTED)) / 100),
    }


def _processes(same: Mapping[str, Any], began: datetime, draw: np.random.Generator) -> dict[str, Any]:
    count = len(same["point_index"])
    return {
        **same,
        "phase": "all",
        "status": "ok",
        "exit_code": 0,
        "detail": "",
        "isolation": "forkserver",
        "started_at": _times(began, np.arange(count) % 1000 * 60),
        "wall_s": draw.uniform(2, 3, count),
        "adapter_create_s": draw.uniform(0.1, 0.2, count),
        "peak_rss_bytes": draw.integers(1 << 30, 1 << 31, count),
        "l2sweep_version": "0.9",
        "torch_version": "2.9",
        "python_version": "3.11",
        "kernel": "Linux 6.8.0-40-generic",
        "cpu_model": "AMD EPYC 9354 32-Core Processor",
        "cpu_count": 64,
        "memory_bytes": 1 << 38,
        "fs_type": "ext4",
        "mount_point": "/mnt/nvme",
        "mount_options": "rw,relatime,errors=remount-ro",
        "block_device": "nvme0n1",
        "cache_mode": "cold",
    }


def _table(values: Mapping[str, Any], columns: pa.Schema) -> pa.Table:
    """Return a table with the columns of a data set. A value that is no array is that of every row."""
    rows = len(values["point_index"])
    arrays = []
    for field in columns:
        value = values.get(field.name)
        if value is None:
            arrays.append(pa.nulls(rows, TEXT if pa.types.is_string(field.type) else field.type))
        elif isinstance(value, str):
            arrays.append(_texts(np.zeros(rows, np.int32), [value]))
        elif isinstance(value, pa.Array):
            arrays.append(value)
        else:
            same = np.broadcast_to(np.asarray(value), rows)
            arrays.append(pa.array(same).cast(field.type))
    return pa.table(arrays, names=columns.names)


def _taken(value: Any, rows: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value[rows]
    return value.take(pa.array(rows)) if isinstance(value, pa.Array) else value


def _texts(codes: Any, texts: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(texts, pa.string()))


def _times(began: datetime, seconds: Any) -> pa.Array:
    microseconds = int(began.timestamp()) * 1_000_000 + seconds.astype(np.int64) * 1_000_000
    return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))


def _lists(values: Any) -> pa.Array:
    rows, size = values.shape
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * size)
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()))
