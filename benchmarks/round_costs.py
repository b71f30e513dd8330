"""What rounds of several clients cost besides their durations: start skew, and the time between rounds."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def round_costs(rounds: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the start skew and the time between two rounds.

    Args:
        rounds: Rows of ``rounds``, one for each client.
        by: The columns of which each combination of values has a row.
    """
    measured = rounds[~rounds["is_warmup"]]
    ends = measured["started_at"] + pd.to_timedelta(measured["duration_s"], unit="s")
    by = list(by)
    together = measured.assign(ended_at=ends).groupby([*by, "phase", "round"], as_index=False)
    found = together.agg(
        skew_s=("start_skew_s", "max"), began=("started_at", "min"), ended=("ended_at", "max")
    )
    before = found.groupby([*by, "phase"])["ended"].shift()
    found["between_s"] = (found["began"] - before).dt.total_seconds()
    found["took_s"] = (found["ended"] - found["began"]).dt.total_seconds()
    return found.groupby(by).agg(
        skew_median_ms=("skew_s", lambda values: 1000 * values.median()),
        skew_p95_ms=("skew_s", lambda values: 1000 * values.quantile(0.95)),
        skew_max_ms=("skew_s", lambda values: 1000 * values.max()),
        round_median_ms=("took_s", lambda values: 1000 * values.median()),
        between_median_ms=("between_s", lambda values: 1000 * values.median()),
    )


def added_ms(costs: pd.DataFrame) -> pd.Series:
    """Return how much longer than in the first row the time between two rounds is, in milliseconds.

    Args:
        costs: What :func:`round_costs` returned.
    """
    return costs["between_median_ms"] - costs["between_median_ms"].iloc[0]
