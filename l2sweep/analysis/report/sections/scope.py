"""Section 1: what was measured; section 5: the environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.environment import ENVIRONMENT
from l2sweep.analysis.report.contents.overview import Scope
from l2sweep.analysis.report.contents.trust import EnvironmentValue
from l2sweep.analysis.report.measured import Measured

if TYPE_CHECKING:
    import pandas as pd

_PHASES = ("store", "lookup", "load", "mixed_store", "mixed_load")


def scope(measured: Measured) -> Scope:
    """Return what was measured.

    Args:
        measured: The rows.
    """
    source, rows = measured.source, measured.points
    points = source.points
    began, ended = _times(points)
    ran = [row for row in rows if row.rounds]
    return Scope(
        sweep_ids=source.sweep_ids,
        sweep_names=_texts(points["sweep_name"]),
        base_ids=source.base_ids,
        began=began,
        ended=ended,
        wall_s=float(points["wall_s"].sum()),
        points=len({row.point_id for row in rows}),
        processes=len(points),
        rounds=sum(row.rounds for row in rows),
        adapters=_unique(row.adapter for row in rows if not row.is_control),
        controls=_unique(row.adapter for row in rows if row.is_control),
        phases=tuple(phase for phase in _PHASES if any(row.phase == phase for row in ran)),
        cache_states=_unique(row.cache_state for row in ran if row.cache_state),
        data_sizes_kb=tuple(sorted({row.data_size_kb for row in rows})),
        num_keys=tuple(sorted({row.num_keys for row in rows})),
        in_flight=tuple(sorted({row.in_flight for row in rows})),
        models=_unique(row.model for row in rows if row.model),
        hosts=_texts(points["host"]),
        devices=_devices(points),
        releases=_texts(points["lmcache_version"]),
        l2sweep_versions=_texts(points["l2sweep_version"]),
        where=source.where,
    )


def environment(points: pd.DataFrame, compared: ComparisonResult | None) -> tuple[EnvironmentValue, ...]:
    """Return the environment of the processes, and how that of the base differs.

    Args:
        points: Rows of ``points``.
        compared: The comparison with the base; None without one.
    """
    differences = {one.name: one for one in compared.environment} if compared else {}
    found = []
    for column, name in ENVIRONMENT.items():
        values = _texts(points[column])
        difference = differences.pop(name, None)
        if values or difference:
            found.append(EnvironmentValue(name, values, (difference.base,) if difference else ()))
    memory = tuple(f"{value / 2**30:.1f} GiB" for value in sorted(set(points["memory_bytes"].dropna())))
    if memory:
        found.append(EnvironmentValue("memory", tuple(dict.fromkeys(memory))))
    found += [
        EnvironmentValue(name, (difference.candidate,), (difference.base,))
        for name, difference in differences.items()
    ]
    return tuple(found)


def _times(points: pd.DataFrame) -> tuple[datetime | None, datetime | None]:
    """Return when the first process started, and when the last one ended."""
    started = points.dropna(subset=["started_at"])
    if started.empty:
        return None, None
    ends = [
        start.to_pydatetime() + timedelta(seconds=wall_s if wall_s == wall_s else 0.0)
        for start, wall_s in zip(started["started_at"], started["wall_s"], strict=True)
    ]
    return started["started_at"].min().to_pydatetime(), max(ends)


def _devices(points: pd.DataFrame) -> tuple[str, ...]:
    known = points[["block_device", "fs_type"]].drop_duplicates()
    texts = []
    for device, fs_type in zip(known["block_device"], known["fs_type"], strict=True):
        has_device, has_type = isinstance(device, str), isinstance(fs_type, str)
        if has_device:
            texts.append(f"{device} ({fs_type})" if has_type else str(device))
        elif has_type:
            texts.append(f"{fs_type}, no block device")
    return _unique(texts)


def _texts(values: pd.Series) -> tuple[str, ...]:
    """Return the values of a column as texts, sorted, without missing ones."""
    return tuple(sorted({_text(value) for value in values.dropna().unique().tolist()}))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unique(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value is not None}))


def in_words(values: Sequence[object], most: int = 6) -> str:
    """Return values in words, such as ``1, 4, 16 and 3 more``.

    Args:
        values: The values.
        most: How many are named.
    """
    named = ", ".join(map(str, values[:most]))
    return named if len(values) <= most else f"{named} and {len(values) - most} more"
