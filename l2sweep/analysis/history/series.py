"""The value of each point and phase in each night."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

SERIES = ("point_id", "phase", "cache_state")
"""The columns that tell series apart. A point that was cold in one night and warm in another has two."""
NO_CACHE_STATE = ""
"""The value of ``cache_state`` in a series of a phase that has none, such as a store."""


def process_medians(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the median duration of each process and phase that was measured completely.

    A phase of a process is complete if all requested rounds were measured and are ok, and all of them have
    the same state of the page cache. Only the last attempt at a point counts, and no process with a profiler,
    because a profiler slows it down.

    Args:
        rounds: Rows of ``load_rounds``.

    Returns:
        One row per process and phase, with the columns ``sweep_id``, ``point_index``, ``point_id``,
        ``phase``, ``cache_state`` and ``duration_s``.
    """
    last = rounds.groupby(["sweep_id", "point_index"])["attempt"].transform("max")
    measured = rounds[~rounds["is_warmup"] & (rounds["attempt"] == last) & rounds["profile"].isna()]
    is_complete = (measured["status"] == "ok") & measured["duration_s"].notna()
    states = measured["cache_state"].fillna(NO_CACHE_STATE)
    processes = measured.assign(is_complete=is_complete, cache_state=states).groupby(
        ["sweep_id", "point_index", "point_id", "phase"], as_index=False
    )
    of_process = processes.agg(
        duration_s=("duration_s", "median"),
        num_rounds=("duration_s", "size"),
        requested=("rounds", "max"),
        is_complete=("is_complete", "all"),
        cache_state=("cache_state", "first"),
        num_states=("cache_state", "nunique"),
    )
    complete = (
        of_process["is_complete"]
        & (of_process["num_rounds"] >= of_process["requested"])
        & (of_process["num_states"] == 1)
    )
    columns = ["sweep_id", "point_index", *SERIES, "duration_s"]
    found: pd.DataFrame = of_process.loc[complete, columns].reset_index(drop=True)
    return found


def night_values(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the value of each series in each night: the median over its processes of their median durations.

    Args:
        rounds: Rows of ``load_rounds``. Each sweep is a night.

    Returns:
        A row per series, indexed by ``SERIES``; a column per sweep, oldest first; durations in seconds. It is
        missing where no process was complete.
    """
    of_night = process_medians(rounds).groupby([*SERIES, "sweep_id"])["duration_s"].median()
    began = rounds.groupby("sweep_id")["started_at"].min().sort_values(kind="stable")
    values: pd.DataFrame = of_night.unstack("sweep_id").reindex(columns=list(began.index))
    return values
