"""Order statistics of many samples at once, of which some values are only known to be at least a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from l2sweep.analysis.rounds.source import Flags, Floats, Integers, Values

_FEW_VALUES = 8  # in a piece, so that an index of each value is faster than a slice of each piece
_MANY_VALUES = 200  # in a sample, so that a sort of its own costs less than a copy into a matrix


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
        starts: Position of the first value of each sample.
        sizes: Number of values of each sample.
        known: Number of values of each sample that are below its first bound.
        bounds: Number of values of each sample that are bounds.
    """

    values: Floats
    starts: Integers
    sizes: Integers
    known: Integers
    bounds: Integers

    @classmethod
    def of(cls, values: Floats, is_unfinished: Flags, samples: Integers, count: int) -> Samples:
        """Sort values into samples.

        Args:
            values: The values and bounds.
            is_unfinished: Which of them are bounds.
            samples: For each value, the number of its sample, from 0.
            count: Number of samples.
        """
        pieces = _Pieces.of(samples)
        sizes = np.bincount(pieces.samples, weights=pieces.sizes, minlength=count).astype(np.int64)
        starts = np.cumsum(sizes) - sizes
        bounds = np.bincount(samples[is_unfinished], minlength=count)
        has_bounds = bounds > 0
        values = pieces.in_order(values)
        _sort(values, starts, np.where(has_bounds, 0, sizes))
        known = sizes.copy()
        if has_bounds.any():
            is_unfinished = pieces.in_order(is_unfinished)
        for sample in np.flatnonzero(has_bounds):
            own = slice(starts[sample], starts[sample] + sizes[sample])
            # Of equal values, those that are known come first.
            order = np.lexsort((is_unfinished[own], values[own]))
            values[own] = values[own][order]
            known[sample] = is_unfinished[own][order].argmax()
        return cls(values, starts, sizes, known, bounds)

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
        is_lower[exists] = last > self.known[exists]
        return Bounds(values, is_lower)


@dataclass(frozen=True)
class _Pieces:
    """Adjacent values of one sample: rounds of a process follow one another, so there are few pieces.

    Attributes:
        samples: The number of the sample of each piece.
        starts: Position of its first value.
        sizes: Number of its values.
    """

    samples: Integers
    starts: Integers
    sizes: Integers

    @classmethod
    def of(cls, samples: Integers) -> _Pieces:
        """Find the pieces of the samples to which values belong."""
        is_first = np.ones(len(samples), dtype=np.bool_)
        is_first[1:] = samples[1:] != samples[:-1]
        starts = np.flatnonzero(is_first)
        return cls(samples[starts], starts, np.diff(starts, append=len(samples)))

    def in_order(self, values: Values) -> Values:
        """Return the values of the first sample, then those of the next."""
        order = np.argsort(self.samples, kind="stable")
        starts, sizes = self.starts[order], self.sizes[order]
        if len(starts) > len(values) // _FEW_VALUES:
            within = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            return values[np.repeat(starts, sizes) + within]
        slices = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
        return np.concatenate([values[:0], *(values[start:end] for start, end in slices)])


def _sort(values: Floats, starts: Integers, sizes: Integers) -> None:
    """Sort values within each sample, in place.

    Args:
        values: The values, sample by sample.
        starts: Position of the first value of each sample.
        sizes: Number of values of each sample; 0 for a sample that is left as it is.
    """
    for size in np.unique(sizes[sizes > 1]).tolist():
        own = starts[sizes == size]
        if size > _MANY_VALUES:
            for start in own.tolist():
                values[start : start + size].sort()
        else:  # samples of one size are the rows of a matrix
            places = own[:, np.newaxis] + np.arange(size)
            values[places] = np.sort(values[places], axis=1)
