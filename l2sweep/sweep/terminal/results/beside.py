"""What stores and loads at the same time cost each other (``concurrent=true``), in one line for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from l2sweep.analysis.fleet.hosts import FLEET_HOST

_MIXED = "mixed_"
_BESIDE = {"store": "loads", "load": "stores"}
_SAME_POINT = ("point_id", "sweep_id", "repeat", "attempt", FLEET_HOST)


def beside_notes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each mixed phase whose phase alone is among the rows.

    Args:
        rows: Rows of ``summarise_groups``: ``phase``, ``mib_per_s`` and what tells the point.
    """
    alone = {(_point(row), row["phase"]): row["mib_per_s"] for row in rows}
    found = []
    for row in rows:
        phase = str(row["phase"]).removeprefix(_MIXED)
        rate = alone.get((_point(row), phase))
        if phase == row["phase"] or not rate or row["mib_per_s"] is None:
            continue
        index = row["point_index"]
        name = row["point_id"] if index is None else index
        found.append(f"point {name}: {beside_text(phase, rate, row['mib_per_s'])}")
    return found


def beside_text(phase: str, alone_mib_per_s: float, beside_mib_per_s: float) -> str:
    """Return what a phase loses beside the other one.

    Args:
        phase: store or load.
        alone_mib_per_s: Its throughput alone.
        beside_mib_per_s: Its throughput beside the other one.
    """
    change = beside_mib_per_s / alone_mib_per_s - 1
    loss = f"{-change:.0%} less" if change <= 0 else "not less"
    return (
        f"{phase} {alone_mib_per_s:.1f} MiB/s alone, {beside_mib_per_s:.1f} beside {_BESIDE[phase]}: {loss}"
    )


def _point(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _SAME_POINT)
