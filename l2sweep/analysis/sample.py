"""Compute statistics of a sample in which some values are only known to be at least a bound."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from l2sweep.analysis.rounds.samples import Bounds, Samples


@dataclass(frozen=True)
class Bound:
    """A statistic of a sample.

    Attributes:
        value: The statistic.
        is_lower_bound: Whether the true statistic may be larger.
    """

    value: float
    is_lower_bound: bool = False


@dataclass(frozen=True)
class Sample:
    """A sample of durations, some of which did not end before a time limit.

    Such a sample is called right-censored: Lawless, "Statistical Models and Methods for Lifetime Data", 2nd
    edition (2003), chapter 2. An unfinished value takes part as its bound. No order statistic and no mean
    decreases if a value of the sample increases, so the result is at most the true statistic. It is exact if
    all unfinished values are at ranks above it.

    Attributes:
        values: The known values, in any order.
        unfinished: For each value that is not known, a bound that it reaches at least.
    """

    values: tuple[float, ...]
    unfinished: tuple[float, ...] = ()

    def percentile(self, percent: float) -> Bound | None:
        """Compute a percentile by the nearest-rank method; p50 is the median.

        Nearest rank is definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The
        American Statistician 50 (1996). The median of an even number of values is the mean of the two middle
        ones, as in ``statistics.median``; ``_percentile`` of ``lmcache bench l2`` returns the lower one.

        Args:
            percent: Above 0, below 100.

        Returns:
            The percentile. None if the sample is so small that its rank is that of the maximum: p99 of 5
            rounds would only repeat the maximum.
        """
        return _only(self._sorted.percentile(percent))

    def minimum(self) -> Bound | None:
        """Return the smallest value; None for an empty sample."""
        return _only(self._sorted.minimum())

    def maximum(self) -> Bound | None:
        """Return the largest value; None for an empty sample."""
        return _only(self._sorted.maximum())

    def mean(self) -> Bound | None:
        """Return the mean; None for an empty sample."""
        together = (*self.values, *self.unfinished)
        return Bound(statistics.mean(together), bool(self.unfinished)) if together else None

    def standard_deviation(self) -> float | None:
        """Return the standard deviation (divisor n - 1).

        None for fewer than two values, and if a value is unfinished: a bound does not limit it.
        """
        return statistics.stdev(self.values) if len(self.values) > 1 and not self.unfinished else None

    @cached_property
    def _sorted(self) -> Samples:
        values = np.array((*self.values, *self.unfinished), dtype=np.float64)
        is_unfinished = np.repeat((False, True), (len(self.values), len(self.unfinished)))
        return Samples.of(values, is_unfinished, np.zeros(len(values), dtype=np.int64), 1)


def _only(bounds: Bounds) -> Bound | None:
    value = bounds.values[0].item()
    return Bound(value, bool(bounds.is_lower[0])) if value == value else None
