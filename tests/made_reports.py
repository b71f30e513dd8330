"""The source of a report from made rows, without running anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from made_sweeps import MadeSweep, as_read
from sample_rows import MIB, Row

from l2sweep.analysis.clients.merging import first_clients, merged
from l2sweep.analysis.report.source import POINTS_READ, ROUNDS_READ, ReportSource
from l2sweep.records import schema

SIZES_KB = (256, 1024, 4096)
DEPTHS = (1, 2, 4)
MADE_AT = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)


def made_rows(
    number: int = 0,
    adapters: Sequence[str] = ("fs", "fs_native", "fio"),
    sizes_kb: Sequence[int] = SIZES_KB,
    depths: Sequence[int] = DEPTHS,
    repeats: int = 3,
    rounds: int = 6,
    **changes: Any,
) -> tuple[list[Row], list[Row]]:
    """Return rows of a cold sweep. fs_native takes 0.8 times as long as fs, and fio 0.7 times.

    A round of a deeper point moves as much as one of depth 1 in only 1 / depth^0.8 of the time.
    """
    sweep = MadeSweep(
        number,
        adapters=adapters,
        sizes_kb=sizes_kb,
        depths=depths,
        phases=("store", "lookup", "load"),
        repeats=repeats,
        rounds=rounds,
        factors={"fs_native": 0.8, "fio": 0.7},
        changes=changes,
    )
    of_rounds, of_points = sweep.lists()
    kept = [row for row in of_rounds if (row["adapter_type"], row["phase"]) != ("fio", "lookup")]
    for row in kept:
        row["duration_s"] /= row["in_flight"] ** 1.8
        row.update(
            elapsed_s=row["duration_s"], block_device_read_bytes=2 * MIB, block_device_write_bytes=2 * MIB
        )
        row["submit_latency_s"] = (row["duration_s"] * np.linspace(0.3, 1, row["in_flight"])).tolist()
        if row["phase"] == "lookup":
            row["cache_state"] = None
    for row in of_points:
        row.update(only=None, cache_mode="cold", detail="", signal=None)
    return kept, of_points


def source_of(rounds: Sequence[Row], points: Sequence[Row], **changes: Any) -> ReportSource:
    """Return the source of a report of some rows."""
    tables = (
        as_read(rounds, schema.ROUNDS).select(list(ROUNDS_READ)),
        as_read(points, schema.POINTS).select(list(POINTS_READ)),
    )
    frames = [table.to_pandas() for table in tables]
    of_clients = frames[0][frames[0]["clients"] > 1]
    given: dict[str, Any] = {
        "sweep_ids": tuple(dict.fromkeys(row["sweep_id"] for row in points)),
        "made_at": MADE_AT,
        "l2sweep_version": "0.1.0",
    }
    of_rounds, of_points = merged(frames[0]), first_clients(frames[1])
    return ReportSource(rounds=of_rounds, points=of_points, client_rounds=of_clients, **{**given, **changes})


def made_source(**changes: Any) -> ReportSource:
    """Return the source of a report of :func:`made_rows`."""
    return source_of(*made_rows(**changes))


def control_row(row: Row, service_ms: float = 2.0) -> Row:
    """Return a row of another adapter as one of the control adapter with a server for each submit."""
    spec = {
        "type": "plugin",
        "module_path": "l2sweep.bench.control.adapter",
        "adapter_params": {"servers": 4, "service_ms": service_ms},
    }
    return {**row, "adapter_type": "plugin", "adapter_spec": json.dumps(spec)}
