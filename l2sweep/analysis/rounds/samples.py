"""Order statistics of many samples at once, of which some values are only known to be at least a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from l2sweep.analysis.rounds.source import Flags, Floats, Integers


@dataclass(frozen=True)
class Bounds:
    """One statistic of each sample.

    Attributes:
        values: The statistic; NaN where the sample has none.
        is_lower: Whether the true statistic may be larger.
    """

    values: Floats
    is_lower: Flags


@dataclass(frozen=True)
class Samples:
    """Samples that are sorted one after another. :class:`l2sweep.analysis.sample.Sample` explains the method.

    Attributes:
        values: All values: those of the first sample in ascending order, then those of the next.
        unfinished_before: For each position, the number of values before it that are only bounds. It has one
            more entry than ``values``.
        starts: Position of the first value of each sample.
        sizes: Number of values of each sample.
    """

    values: Floats
    unfinished_before: Integers
    starts: Integers
    sizes: Integers

    @classmethod
    def of(cls, values: Floats, is_unfinished: Flags, samples: Integers, count: int) -> Samples:
        """Sort values into samples.

        Args:
            values: The values and bounds.
            is_unfinished: Which of them are bounds.
            samples: For each value, the number of its sample, from 0.
            count: Number of samples.
        """
        # Sorting small integers is fast, and so are many short sorts: one sort of all values takes longer.
        order = np.argsort(samples.astype(np.uint16 if count <= 1 << 16 else np.int64), kind="stable")
        values, is_unfinished = values[order], is_unfinished[order]
        sizes = np.bincount(samples, minlength=count)
        starts = np.cumsum(sizes) - sizes
        for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
            of_sample = slice(start, start + size)
            if is_unfinished[of_sample].any():  # of equal values, those that are known come first
                order = np.lexsort((is_unfinished[of_sample], values[of_sample])) + start
                values[of_sample], is_unfinished[of_sample] = values[order], is_unfinished[order]
            else:
                values[of_sample].sort()
        return cls(values, np.concatenate(([0], np.cumsum(is_unfinished))), starts, sizes)

    def percentile(self, percent: float) -> Bounds:
        """Compute a percentile by the nearest-rank method; p50 is the median.

        Args:
            percent: Above 0, below 100.

        Returns:
            The percentiles; none for a sample so small that the rank is that of the maximum.
        """
        # 16.1 * 1000 / 100 is 161.00000000000003: without rounding, the rank would be 162.
        ranks = np.ceil(np.round(percent * self.sizes / 100, 9)).astype(np.int64)
        is_mean = (percent == 50) & (self.sizes % 2 == 0)
        return self.between(np.where(ranks < self.sizes, ranks, 0), ranks + is_mean)

    def median(self) -> Bounds:
        """Compute the median, also of a single value."""
        return self.between((self.sizes + 1) // 2, self.sizes // 2 + 1)

    def minimum(self) -> Bounds:
        """Return the smallest value."""
        first = np.minimum(self.sizes, 1)
        return self.between(first, first)

    def maximum(self) -> Bounds:
        """Return the largest value."""
        return self.between(self.sizes, self.sizes)

    def between(self, first: Integers | Any, last: Integers | Any) -> Bounds:
        """Return the mean of the values at two ranks, which are equal or adjacent.

        Args:
            first: For each sample, a rank from 1; 0 if the statistic does not exist.
            last: For each sample, the same rank or the next.
        """
        values = np.full(len(self.sizes), np.nan)
        is_lower = np.zeros(len(self.sizes), dtype=np.bool_)
        exists = (first > 0) & (self.sizes > 0)
        starts, first, last = self.starts[exists], first[exists], last[exists]
        values[exists] = (self.values[starts + first - 1] + self.values[starts + last - 1]) / 2
        is_lower[exists] = self.unfinished_before[starts + last] > self.unfinished_before[starts]
        return Bounds(values, is_lower)
