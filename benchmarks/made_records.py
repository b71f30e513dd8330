"""Records with made numbers, written by the writer of l2sweep."""

from __future__ import annotations

import json
import random
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from l2sweep.bench.job import PHASES
from l2sweep.records.files import file_stem
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.writer import write_point

ROUNDS = 33  # of each phase, and a warm-up


def with_sweeps(results_dir: Path, points: int, points_of_a_sweep: int, rounds: int = ROUNDS) -> Path:
    """Return a folder with compacted sweeps. They are written unless it exists."""
    if results_dir.exists():
        return results_dir
    unfinished = results_dir.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    begin_s = time.perf_counter()
    sizes = [min(points_of_a_sweep, points - first) for first in range(0, points, points_of_a_sweep)]
    ids = [write_sweep(unfinished, number, size, rounds) for number, size in enumerate(sizes)]
    written_s, written_mib = time.perf_counter() - begin_s, mib_of(unfinished)
    begin_s = time.perf_counter()
    for sweep_id in ids:
        compact_sweep(unfinished, sweep_id)
    print(
        f"{points} points in {len(ids)} sweeps: {written_mib:.1f} MiB written in {written_s:.0f} s, "
        f"compacted in {time.perf_counter() - begin_s:.1f} s to {mib_of(unfinished):.1f} MiB"
    )
    unfinished.rename(results_dir)
    return results_dir


def write_sweep(results_dir: Path, number: int, points: int, rounds: int = ROUNDS) -> str:
    """Write a sweep with a file for each point, and return its id."""
    chance = random.Random(number)
    began = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    sweep_id = f"{began:%Y%m%dT%H%M%SZ}-{number:04x}"
    (results_dir / "sweeps" / sweep_id).mkdir(parents=True)
    for index in range(points):
        point = _point(sweep_id, index, began + timedelta(seconds=index))
        rows = [_round(point, phase, one + 1, chance) for phase in PHASES for one in range(rounds + 1)]
        write_point(results_dir, file_stem(sweep_id, index, 1), rows, [_process(point)])
    return sweep_id


def _point(sweep_id: str, index: int, started_at: datetime) -> dict[str, Any]:
    spec = {"type": "fs_native", "base_path": "/mnt/nvme/l2sweep", "num_workers": 1 << index % 5}
    return {
        "sweep_id": sweep_id,
        "sweep_name": "nightly",
        "point_id": f"{index // 3:016x}",
        "point_index": index,
        "repeat": index % 3,
        "attempt": 1,
        "adapter_type": "fs_native",
        "adapter_spec": json.dumps({**spec, "use_odirect": index % 2 == 0}),
        "num_keys": 16,
        "in_flight": 1 << index % 6,
        "data_size_kb": 256 << index % 4,
        "lookup_max_hit_rate": 1.0,
        "rounds": ROUNDS,
        "warmup_rounds": 1,
        "namespace": f"l2sweep-{index:016x}-{sweep_id}-{index}-1-abcdef",
        "seed": 7,
        "host": "bench-01",
        "lmcache_version": "0.5.6",
        "started_at": started_at,
    }


def _round(point: dict[str, Any], phase: str, number: int, chance: random.Random) -> dict[str, Any]:
    duration_s = chance.lognormvariate(-4, 0.3)
    moved = 0 if phase == "lookup" else 16 * point["data_size_kb"] * 1024
    return {
        **point,
        "phase": phase,
        "round": number,
        "is_warmup": number == 1,
        "status": "ok",
        "started_at": point["started_at"] + timedelta(milliseconds=20 * number),
        "duration_s": duration_s,
        "elapsed_s": duration_s,
        "keys_requested": 16,
        "keys_expected": 16,
        "keys_ok": 16,
        "bytes_requested": moved,
        "bytes_ok": moved,
        "submit_latency_s": [duration_s * chance.random() for _ in range(4)],
        "cpu_user_s": duration_s / 3,
        "cpu_sys_s": duration_s / 2,
        "device_read_bytes": moved,
        "cache_state": "cold" if phase == "load" else None,
    }


def _process(point: dict[str, Any]) -> dict[str, Any]:
    environment = {"kernel": "Linux 6.8.0-40-generic", "cpu_model": "AMD EPYC 9354 32-Core Processor"}
    return {
        **point,
        **environment,
        "phase": "all",
        "status": "ok",
        "exit_code": 0,
        "isolation": "forkserver",
        "wall_s": 2.5,
        "peak_rss_bytes": 1 << 31,
        "overrides": ["num_keys=16", f"in_flight={point['in_flight']}"],
        "mount_options": "rw,relatime,errors=remount-ro",
        "fs_type": "ext4",
    }


def mib_of(folder: Path) -> float:
    """Return the size of the Parquet files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*.parquet")) / 2**20
