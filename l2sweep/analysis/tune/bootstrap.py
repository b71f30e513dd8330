"""Intervals of medians and of what follows from them, by resampling processes.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, the percentile interval.
Each setting is resampled by itself. The unit is a process, because rounds of one process are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SAMPLES = 2000
"""The 2.5th percentile of 2,000 values has 50 values below it."""
_SEED = 0  # the same rows give the same interval
FEWEST = 3
"""Processes from which an interval is computed: with two, the resampled medians take three values."""


@dataclass(frozen=True)
class Interval:
    """A 95% interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
    """

    low: float
    high: float


def resampled_medians(samples: Sequence[Sequence[float]]) -> Floats | None:
    """Return medians of samples that are drawn with replacement.

    Args:
        samples: The values of the processes of each setting.

    Returns:
        An array of :data:`SAMPLES` rows with a median for each setting; None if a setting has fewer than
        :data:`FEWEST` processes.
    """
    if not samples or min(map(len, samples)) < FEWEST:
        return None
    random = np.random.default_rng(_SEED)
    columns = []
    for values in samples:
        chosen = random.integers(len(values), size=(SAMPLES, len(values)))
        columns.append(np.median(np.asarray(values, dtype=np.float64)[chosen], axis=1))
    return np.stack(columns, axis=1)


def interval(values: Floats | None) -> Interval | None:
    """Return the interval between the 2.5th and the 97.5th percentile; None without values.

    A percentile is the value at the nearest rank, so that the interval of a knee ends at values that were
    measured.
    """
    if values is None:
        return None
    low, high = np.percentile(values, [2.5, 97.5], method="inverted_cdf")
    return Interval(float(low), float(high))


def most_coverage(num_processes: int) -> float:
    """Return how often an interval between two of n values contains the true median, at most.

    All n values are on one side of the median with the probability 2 * 0.5**n, whatever the distribution. The
    median of a resampled set of few values is one of them, so that no interval of medians is wider.

    Args:
        num_processes: The number n of values.
    """
    return float(1 - 2 * 0.5**num_processes)
