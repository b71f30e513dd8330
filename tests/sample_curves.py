"""Rounds of made-up curves."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from sample_rows import MIB, Row, round_row

PATH = "/mnt/nvme/kv"


def process_rows(
    point_index: int, rates: float | tuple[float, ...], phase: str = "load", **changes: Any
) -> list[Row]:
    """Return the measured rounds of one process, and a warm-up round that is much faster.

    Args:
        point_index: Index of its point.
        rates: Throughput of each round (MiB/s).
        phase: store, lookup or load.
        changes: Other columns; ``type``, ``num_workers``, ``use_odirect`` and ``path`` go into the spec.
    """
    rates = (rates,) if isinstance(rates, float) else rates
    adapter = changes.pop("type", "fs_native")
    options = {name: changes.pop(name) for name in ("num_workers", "use_odirect") if name in changes}
    spec = {"type": adapter, "base_path": changes.pop("path", PATH), **options}
    shared: Row = {
        "point_index": point_index,
        "adapter_type": adapter,
        "adapter_spec": json.dumps(spec),
        "lmcache_version": None if adapter == "fio" else "0.5.6",
        "rounds": len(rates),
        "cache_state": None if phase == "store" else "cold",
        "flush_s": None,
        "num_keys": 4,
        "in_flight": 1,
        **changes,
    }
    warmup = round_row(phase, 1, **{**shared, "duration_s": 1e-6, "is_warmup": True})
    measured = []
    for number, rate in enumerate(rates, 2):
        seconds = (
            {} if "duration_s" in shared else {"duration_s": shared.get("bytes_ok", 2 * MIB) / MIB / rate}
        )
        measured.append(round_row(phase, number, **{**shared, **seconds}))
    return [warmup, *measured]


def frame(*processes: list[Row]) -> pd.DataFrame:
    """Return the rounds of processes."""
    return pd.DataFrame([row for rows in processes for row in rows])
