"""Rounds of made-up tiers, and a made-up model whose numbers can be computed in the head."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sample_curves import frame, process_rows
from sample_rows import MIB, Row

from l2sweep.analysis.breakeven.geometry import ModelGeometry

SPREAD = (0.9, 1.0, 1.2)
"""The processes of a setting, as multiples of their median."""
MODEL = ModelGeometry(
    name="made-up",
    layers=10,
    attention_width=1000,
    active_parameters=1_000_000,
    chunk_tokens=256,
    key_bytes=MIB,
    keys_per_chunk=1,
)
"""4 KiB a token, and 1 MiB a key."""
Rates = dict[tuple[int, int, int], float]


def tier_rows(
    rates: Rates,
    *,
    first: int = 0,
    lookup_keys_s: float | None = None,
    spread: tuple[float, ...] = SPREAD,
    **changes: Any,
) -> list[list[Row]]:
    """Return the rounds of a process for each setting and each part of the spread.

    Args:
        rates: Median throughput (MiB/s) by size (KiB), keys of a submit, and submits in flight.
        first: Index of the first point.
        lookup_keys_s: Median throughput of lookups, the same in each setting; None: there are none.
        spread: The processes, as multiples of the median.
        changes: Other columns, as in ``process_rows``.
    """
    processes: list[list[Row]] = []
    index = first
    for (size, keys, in_flight), rate in rates.items():
        for factor in spread:
            own = {"data_size_kb": size, "num_keys": keys, "in_flight": in_flight, **changes}
            rows = process_rows(index, rate * factor, **own)
            if lookup_keys_s is not None:
                seconds = 8 / (lookup_keys_s * factor)
                more = {
                    "lookup_answered_by": "files",
                    "duration_s": seconds,
                    "keys_requested": 8,
                    "lookup_max_hit_rate": 1.0,
                }
                rows = [*process_rows(index, 1.0, "lookup", **{**own, **more}), *rows]
            processes.append(rows)
            index += 1
    return processes


def tier_frame(rates: Rates, **changes: Any) -> pd.DataFrame:
    """Return the rounds of one tier, as ``tier_rows``."""
    return frame(*tier_rows(rates, **changes))
