"""Compute statistics of a sample in which some values are only known to be at least a bound."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


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
        size = len(self.values) + len(self.unfinished)
        # 16.1 * 1000 / 100 is 161.00000000000003: without rounding, the rank would be 162.
        rank = math.ceil(round(percent * size / 100, 9))
        if not 0 < rank < size:
            return None
        return self._between(rank, rank + 1 if percent == 50 and size % 2 == 0 else rank)

    def minimum(self) -> Bound | None:
        """Return the smallest value; None for an empty sample."""
        return self._between(1, 1) if self.values or self.unfinished else None

    def maximum(self) -> Bound | None:
        """Return the largest value; None for an empty sample."""
        size = len(self.values) + len(self.unfinished)
        return self._between(size, size) if size else None

    def mean(self) -> Bound | None:
        """Return the mean; None for an empty sample."""
        together = (*self.values, *self.unfinished)
        return Bound(statistics.mean(together), bool(self.unfinished)) if together else None

    def standard_deviation(self) -> float | None:
        """Return the standard deviation (divisor n - 1).

        None for fewer than two values, and if a value is unfinished: a bound does not limit it.
        """
        return statistics.stdev(self.values) if len(self.values) > 1 and not self.unfinished else None

    def _between(self, first: int, last: int) -> Bound:
        """Return the mean of the values at two ranks, counted from 1, which are equal or adjacent."""
        ordered: Sequence[tuple[float, bool]] = sorted(
            [*((value, False) for value in self.values), *((bound, True) for bound in self.unfinished)]
        )
        value = statistics.mean((ordered[first - 1][0], ordered[last - 1][0]))
        return Bound(value, any(is_unfinished for _, is_unfinished in ordered[:last]))
