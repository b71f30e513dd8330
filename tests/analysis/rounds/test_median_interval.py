"""The distribution-free interval of a median."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from l2sweep.analysis.rounds.median_interval import SMALLEST_SAMPLE, median_intervals
from l2sweep.analysis.rounds.samples import Samples
from l2sweep.bench.rounds import steadiness


def interval(values: list[float], unfinished: int = 0) -> tuple[float, float, bool]:
    """Return both ends, and whether the upper one is only a lower bound.

    The last ``unfinished`` values are bounds.
    """
    is_unfinished = np.arange(len(values)) >= len(values) - unfinished
    samples = Samples.of(np.array(values), is_unfinished, np.zeros(len(values), dtype=np.int64), 1)
    low, high = median_intervals(samples)
    return low.values[0], high.values[0], bool(high.is_lower[0])


@pytest.mark.parametrize("size", [*range(6, 60), 101, 1000])
def test_the_ends_are_the_innermost_values_that_miss_the_median_in_at_most_5_percent(size: int) -> None:
    low, high, _ = interval([float(rank) for rank in range(size, 0, -1)])
    below = int(low)
    assert high == size + 1 - below
    missed = 2 * binom.cdf(below - 1, size, 0.5)  # fewer than `below` values are below the median
    assert missed <= 0.05 < 2 * binom.cdf(below, size, 0.5)


def test_fewer_than_six_values_have_no_interval() -> None:
    assert SMALLEST_SAMPLE == 6
    assert interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])[:2] == (1.0, 6.0)
    assert all(np.isnan(interval([1.0] * size)[:2]).all() for size in (1, 2, 5))


@pytest.mark.parametrize("size", [*range(1, 300), 1000, 9999, 10_000])
def test_rounds_auto_ends_by_the_same_interval(size: int) -> None:
    assert steadiness.SMALLEST_SAMPLE == SMALLEST_SAMPLE
    values = [float(value) for value in np.random.default_rng(size).permutation(size) + 1]
    low, high, _ = interval(values)
    rank, precision = steadiness.interval_rank(size), steadiness.relative_half_width(values)
    if math.isnan(low):
        assert (rank, precision) == (None, None)
        return
    assert (low, high) == (rank, size + 1 - rank)
    assert precision == (high - low) / 2 / ((size + 1) / 2)


def test_an_end_that_timed_out_is_a_lower_bound() -> None:
    assert interval([1.0, 2.0, 3.0, 4.0, 5.0, 9.0], unfinished=1) == (1.0, 9.0, True)
    assert interval([float(value) for value in range(9)], unfinished=1) == (1.0, 7.0, False)


def test_at_least_95_of_100_intervals_contain_the_median() -> None:
    source = np.random.default_rng(3)
    count = 4000
    for size in (6, 9, 20):
        values = source.lognormal(sigma=1.5, size=count * size)  # its median is 1
        samples = Samples.of(
            values, np.zeros(count * size, dtype=bool), np.repeat(np.arange(count), size), count
        )
        low, high = median_intervals(samples)
        assert ((low.values <= 1) & (high.values >= 1)).mean() > 0.95 - 0.01
