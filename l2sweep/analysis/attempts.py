"""Combine the processes of each attempt at a point into one row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l2sweep.analysis.clients.merging import first_clients

if TYPE_CHECKING:
    import pandas as pd


def attempts(points: pd.DataFrame) -> pd.DataFrame:
    """Return the result of each attempt at a point.

    Args:
        points: Rows of the data set ``points``: one per process.

    Returns:
        One row per ``sweep_id``, ``point_index`` and ``attempt``, with the columns ``point_id``, ``status``
        (``ok`` if all processes are ok, else the first other status), ``started_at`` (of the first process)
        and ``seconds`` (total time of the processes, including dropping the page cache between them).
    """
    points = first_clients(points)  # the others ran at the same time
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
