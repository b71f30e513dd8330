"""What of a point is one number, for a sweeper that searches for the best point instead of running a grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from l2sweep.analysis.statistics import OperationSummary, percentile, summarise

_MEASURES: dict[str, Callable[[OperationSummary], float | None]] = {
    "mib_per_s": lambda summary: summary.mib_per_s,
    "keys_per_s": lambda summary: summary.ops_per_s,
    "duration_p50_s": lambda summary: percentile(summary.durations_s, 50),
    "submit_p50_s": lambda summary: percentile(summary.submit_latency_s, 50),
    "submit_p99_s": lambda summary: percentile(summary.submit_latency_s, 99),
}
OBJECTIVES = tuple(
    f"{operation}_{measure}"
    for operation in ("store", "lookup", "load")
    for measure in _MEASURES
    if (operation, measure) != ("lookup", "mib_per_s")  # lookups move nothing
)


def objective(name: str, rows: Iterable[Mapping[str, Any]]) -> float:
    """Return a point's objective.

    Args:
        name: One of ``OBJECTIVES``.
        rows: Rows of the data set ``rounds``, of one point.

    Returns:
        The number; not a number where the point did not measure it, or too few rounds of it.
    """
    operation, _, measure = name.partition("_")
    value = _MEASURES[measure](summarise(operation, rows))
    return math.nan if value is None else value
