"""Remove old sweeps, except those that are still needed."""

from __future__ import annotations

from pathlib import Path

from l2sweep.analysis.attempts import attempts
from l2sweep.records.reader import load_points
from l2sweep.records.storage.stored_sweep import stored_sweep, why_never_removed

KEEP = "keep"
"""A sweep with a file of this name in ``sweeps/<sweep_id>`` is never removed: for a baseline."""
_ALWAYS_KEPT = 2  # sweeps: the last one, and one to compare it with


def prune(results_dir: Path, sweep_name: str, keep_nights: int, keep_gb: float | None) -> list[str]:
    """Remove the oldest sweeps with a name: first by number, then by size.

    Never removed are the last two sweeps, sweeps with a file ``keep`` in their folder, and a sweep with the
    newest successful measurement of a point, because later measurements are compared with it.

    Args:
        results_dir: Folder of the data sets.
        sweep_name: Only sweeps with this name are removed.
        keep_nights: Number of sweeps to keep. Older ones are removed.
        keep_gb: Total size of the sweeps to keep, in 10^9 bytes. If they are larger, the oldest ones are
            removed, even if there are fewer than ``keep_nights``. None: no limit.

    Returns:
        The ids of the removed sweeps, oldest first.
    """
    points = load_points(results_dir)
    names_of = points.groupby("sweep_id")["sweep_name"].unique()
    points = points[points["sweep_id"].isin(names_of.index[names_of.map(set) == {sweep_name}])]
    ids = [one for one in points["sweep_id"].unique() if not why_never_removed(results_dir, one)]
    points = points[points["sweep_id"].isin(ids)]
    began = points.groupby("sweep_id")["started_at"].min().sort_values()
    ended = attempts(points)
    newest_ok = ended[ended["status"] == "ok"].sort_values("started_at").groupby("point_id").tail(1)
    needed = {*newest_ok["sweep_id"], *began.index[-_ALWAYS_KEPT:]}
    stored = [stored_sweep(results_dir, sweep_id) for sweep_id in began.index]
    total = sum(sweep.num_bytes for sweep in stored)
    removed: list[str] = []
    for position, sweep in enumerate(stored):
        too_old = len(stored) - position > keep_nights
        is_kept = (results_dir / "sweeps" / sweep.sweep_id / KEEP).exists()
        too_large = keep_gb is not None and total > keep_gb * 1e9
        if not (too_old or too_large) or sweep.sweep_id in needed or is_kept:
            continue
        total -= sweep.num_bytes
        sweep.remove()
        removed.append(sweep.sweep_id)
    return removed
