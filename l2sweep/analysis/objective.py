"""Reduce a point to one number, for a sweeper that searches for the best point instead of running a grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from l2sweep.analysis.statistics import PhaseSummary, percentile, summarise

_MEASURES: dict[str, Callable[[PhaseSummary], float | None]] = {
    "mib_per_s": lambda summary: summary.mib_per_s,
    "keys_per_s": lambda summary: summary.keys_per_s,
    "duration_p50_s": lambda summary: percentile(summary.durations_s, 50),
    "submit_p50_s": lambda summary: percentile(summary.submit_latency_s, 50),
    "submit_p99_s": lambda summary: percentile(summary.submit_latency_s, 99),
}
OBJECTIVES = tuple(
    f"{phase}_{measure}"
    for phase in ("store", "lookup", "load")
    for measure in _MEASURES
    if (phase, measure) != ("lookup", "mib_per_s")  # a lookup moves no payload
)


def objective(name: str, rows: Iterable[Mapping[str, Any]]) -> float:
    """Compute the objective of a point.

    Args:
        name: One of ``OBJECTIVES``.
        rows: Rows of the data set ``rounds``, all of one point.

    Returns:
        The objective; NaN if the point did not measure it, or measured too few rounds for a percentile.
    """
    phase, _, measure = name.partition("_")
    value = _MEASURES[measure](summarise(phase, rows))
    return math.nan if value is None else value
