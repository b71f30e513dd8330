"""Attempts at points: each one row, however many processes it had."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def attempts(points: pd.DataFrame) -> pd.DataFrame:
    """Return how each attempt at a point ended.

    Args:
        points: Rows of the data set ``points``.

    Returns:
        A row for each ``sweep_id``, ``point_index`` and ``attempt``, with its ``point_id``. ``status`` is
        ``ok`` where all its processes were, else that of the first that was not; ``started_at`` that of the
        first; ``seconds`` the sum of them, dropping the page cache between included.
    """
    seconds = points["wall_s"] + points["drop_s"].fillna(0.0)
    grouped = points.assign(seconds=seconds).groupby(
        ["sweep_id", "point_index", "attempt", "point_id"], as_index=False
    )
    ended: pd.DataFrame = grouped.agg(
        status=("status", lambda all_: next((status for status in all_ if status != "ok"), "ok")),
        started_at=("started_at", "min"),
        seconds=("seconds", "sum"),
    )
    return ended
