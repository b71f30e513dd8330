"""Reduce a point to one number, for a sweeper that searches for the best point instead of running a grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from l2sweep.analysis.sample import Bound
from l2sweep.analysis.statistics import PhaseSummary, summarise

_MEASURES: dict[str, Callable[[PhaseSummary], float | Bound | None]] = {
    "mib_per_s": lambda summary: summary.mib_per_s_elapsed,
    "keys_per_s": lambda summary: summary.keys_per_s_elapsed,
    "duration_p50_s": lambda summary: summary.durations.percentile(50),
    "submit_p50_s": lambda summary: summary.submit_latencies.percentile(50),
    "submit_p99_s": lambda summary: summary.submit_latencies.percentile(99),
}
OBJECTIVES = tuple(
    f"{phase}_{measure}"
    for phase in ("store", "lookup", "load")
    for measure in _MEASURES
    if (phase, measure) != ("lookup", "mib_per_s")  # a lookup moves no payload
)


def objective(name: str, rows: Iterable[Mapping[str, Any]]) -> float:
    """Compute the objective of a point.

    A percentile that is only a lower bound, because of time-outs, is no objective: a search would take it for
    a fast point. Throughput is that over elapsed time, which includes the time-outs.

    Args:
        name: One of ``OBJECTIVES``.
        rows: Rows of the data set ``rounds``, all of one point.

    Returns:
        The objective; NaN if the point did not measure it, measured too few rounds for a percentile, only
        a lower bound of it, or a store that its load proves wrong.
    """
    phase, _, measure = name.partition("_")
    summary = summarise(phase, rows)
    value = None if summary.unconfirmed_rounds else _MEASURES[measure](summary)
    if isinstance(value, Bound):
        return math.nan if value.is_lower_bound else value.value
    return math.nan if value is None else value
