"""Robust scores over hosts: how far each is from the median, in units of the median absolute deviation."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_HOSTS = 3
"""Of two hosts that differ, none is in the majority."""
LEAST_DEVIATION = 0.005
"""Hosts are taken to deviate by at least 0.5 %: equal rates do not make a tiny difference a finding."""
_MAD_OF_NORMAL = 1.4826
"""The standard deviation of a normal distribution divided by its median absolute deviation."""
_SEED = 20261130
_MOST_VALUES = 2_000_000
_BLOCK = 256
"""Hosts of one made fleet. A larger fleet is taken as several of this size."""
_TAIL = 0.01
"""Share of the made fleets whose scores are the tail of the distribution."""


def known_medians(values: Floats) -> Floats:
    """Return the median of each row without its NaN; NaN for a row of nothing else.

    Args:
        values: A matrix. ``numpy.nanmedian`` does the same in fifty times the time, if rows are short.
    """
    ordered = np.sort(values, axis=1)  # NaN is last
    known = (~np.isnan(values)).sum(axis=1, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(known - 1, 0) // 2, axis=1)
    high = np.take_along_axis(ordered, np.minimum(known // 2, values.shape[1] - 1), axis=1)
    medians: Floats = ((low + high) / 2)[:, 0]
    return medians


def scores(values: Floats) -> Floats:
    """Return the robust score of each host: below 0 is slower than the median.

    The score is the difference from the median of all hosts, divided by 1.4826 times the median absolute
    deviation: the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993),
    chapter 3. Fewer than half of the hosts may be slow without hiding each other (Rousseeuw and Croux,
    "Alternatives to the Median Absolute Deviation", JASA 88 (1993)). The deviation is taken to be at least
    ``LEAST_DEVIATION``.

    Args:
        values: Logarithms of rates, one for each host.
    """
    return (values - np.median(values)) / deviation(values)


def deviation(values: Floats) -> float:
    """Return how far hosts deviate from their median: 1.4826 times the median absolute deviation.

    Args:
        values: Logarithms of rates, one for each host.
    """
    spread = _MAD_OF_NORMAL * float(np.median(np.abs(values - np.median(values))))
    return max(spread, LEAST_DEVIATION)


def p_values(scores: Floats, hosts: int) -> Floats:
    """Return for each score how often the slowest of equal hosts has one this low or lower.

    With few hosts the median absolute deviation is a rough estimate: the lowest of 8 normal values is below
    the usual limit of -3.5 in 8 of 100 fleets. So the score is compared with the lowest scores of made fleets
    with the same number of hosts, whose values are normal. This corrects the p-value for the number of hosts,
    as the distribution of the largest statistic does in Westfall and Young, "Resampling-Based Multiple
    Testing" (1993), section 2.3. The lowest 1 % of the scores are taken to follow a power law (Hill, "A
    Simple General Approach to Inference About the Tail of a Distribution", Annals of Statistics 3 (1975)), so
    that p-values below those of the made fleets are known, too.

    Args:
        scores: The scores of hosts. For a score above 0 it is 1.
        hosts: Number of hosts, at least ``FEWEST_HOSTS``.
    """
    lowest = _lowest_scores(min(hosts, _BLOCK))
    top = lowest[-int(len(lowest) * _TAIL) :]
    power = 1 / np.mean(np.log(top / top[0]))
    below = np.maximum(-scores, 0.0)
    share = 1 - np.searchsorted(lowest, below) / len(lowest)
    in_tail = _TAIL * (np.maximum(below, top[0]) / top[0]) ** -power
    p = np.where(below > top[0], in_tail, share)
    blocks = max(hosts / _BLOCK, 1.0)
    return np.where(below > 0, -np.expm1(blocks * np.log1p(-np.minimum(p, 1 - 1e-12))), 1.0)


@functools.cache
def lowest_significant(level: float, hosts: int) -> float:
    """Return how far below the median a host must be, in deviations, for a p-value of at most a level.

    Args:
        level: The p-value.
        hosts: Number of hosts, at least ``FEWEST_HOSTS``.
    """
    low, high = 0.0, 1e6
    while high > low * (1 + 1e-4) + 1e-9:
        middle = math.sqrt(low * high) if low > 0 else high / 1e3
        low, high = (low, middle) if p_values(np.array([-middle]), hosts)[0] <= level else (middle, high)
    return high


@functools.cache
def _lowest_scores(hosts: int) -> Floats:
    """Return how far below the median the lowest of normal hosts is, in made fleets, in ascending order."""
    generator = np.random.default_rng(_SEED)
    values = np.sort(generator.standard_normal((_MOST_VALUES // hosts, hosts)), axis=1)
    medians = np.median(values, axis=1)
    spread = _MAD_OF_NORMAL * np.median(np.abs(values - medians[:, None]), axis=1)
    return np.sort((medians - values[:, 0]) / spread)
