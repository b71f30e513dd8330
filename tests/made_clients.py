"""Rows of points with several numbers of clients, with known rates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sample_rows import MIB, Row, point_row, round_row

ROUNDS = 3


def client_rows(
    rates: Mapping[int, Sequence[float]],
    phase: str = "load",
    *,
    hosts: Mapping[int, int] | None = None,
    fairness: float = 1.0,
    first_index: int = 0,
    **changes: Any,
) -> tuple[list[Row], list[Row]]:
    """Return rows of ``rounds`` and ``points``.

    Each client moves 2 MiB in a round. All but the first take as long as the throughput says, and the first
    one takes ``fairness`` times as long.

    Args:
        rates: For each number of clients the throughput of each process (MiB/s; of lookups keys/s).
        phase: store, lookup or load.
        hosts: For each number of clients the hosts that measured together; where it is missing, one.
        fairness: Rate of the slowest client divided by that of the fastest.
        first_index: Index of the first point.
        changes: Other columns; ``type`` and ``num_workers`` go into the spec.
    """
    adapter = changes.pop("type", "fs")
    options = {name: changes.pop(name) for name in ("num_workers",) if name in changes}
    spec = json.dumps({"type": adapter, "base_path": "/mnt/nvme/kv", **options})
    rounds: list[Row] = []
    points: list[Row] = []
    number = first_index
    for clients, of_processes in rates.items():
        for rate in of_processes:
            shared: Row = {
                "point_index": number,
                "adapter_type": adapter,
                "adapter_spec": spec,
                "clients": clients,
                "hosts": (hosts or {}).get(clients, 1),
                "rounds": ROUNDS,
                "cache_state": "cold" if phase == "load" else None,
                **changes,
            }
            moved = 8.0 if phase == "lookup" else 2.0
            for client in range(clients):
                took_s = clients * moved / rate * (fairness if clients > 1 and client == 0 else 1.0)
                rounds += _rounds(shared, phase, client, took_s)
                given = {name: value for name, value in shared.items() if name in point_row()}
                points.append(point_row(**{**given, "client": client}))
            number += 1
    return rounds, points


def _rounds(shared: Row, phase: str, client: int, took_s: float) -> list[Row]:
    rows = []
    for number in range(2, 2 + ROUNDS):
        own = {
            "client": client,
            "duration_s": took_s,
            "elapsed_s": took_s,
            "bytes_ok": 0 if phase == "lookup" else 2 * MIB,
            "submit_latency_s": [took_s],
            "submit_started_s": [0.0],
            "start_skew_s": 0.0 if shared["clients"] > 1 else None,
            **shared,
        }
        row = round_row(phase, number, **own)
        rows.append({**row, "started_at": row["started_at"] + timedelta(seconds=100 * number)})
    return rows
