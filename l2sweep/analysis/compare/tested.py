"""Test the points, and all points of an adapter in a phase together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from l2sweep.analysis.compare.bootstrap import interval
from l2sweep.analysis.compare.layout import Layout, pooled
from l2sweep.analysis.compare.significance import Significance, significance
from l2sweep.analysis.compare.variance import (
    Booleans,
    Floats,
    Integers,
    NightAllowance,
    Spread,
    moderated,
    spread,
    with_night_allowance,
)

NIGHT_OF_POINT, NIGHT_OF_TOTAL = NightAllowance(0.015, 0.5), NightAllowance(0.015, 0.8)
"""How much a sweep deviates where both sides have only one. Points of a total share more of it than their
processes do (docs/compare.md)."""
CLOCK_ERROR_S = 1e-4
"""A smaller difference is not told apart from the error of the measurement (docs/benchmarks.md)."""


@dataclass(frozen=True)
class Limits:
    """What counts as a finding.

    Attributes:
        threshold: The least change, as a share: 0.05 is 5 %.
        level: The largest false discovery rate.
    """

    threshold: float
    level: float


@dataclass(frozen=True)
class Estimate:
    """An estimated difference.

    Attributes:
        difference: Mean logarithm of the candidate minus that of the base.
        variance: Variance of the difference.
        freedom: Its degrees of freedom.
    """

    difference: float
    variance: float
    freedom: float

    def beside(self, other: Estimate) -> Estimate:
        """Return the difference of both, with the degrees of freedom of Welch and Satterthwaite."""
        variance = self.variance + other.variance
        parts = [one.variance**2 / one.freedom for one in (self, other)]
        freedom = variance**2 / sum(parts) if sum(parts) else min(self.freedom, other.freedom)
        return Estimate(self.difference - other.difference, variance, freedom)

    @property
    def p(self) -> float:
        """Two-sided p-value of Student's t-test of the difference against 0."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.freedom, -abs(self.difference) / math.sqrt(self.variance)))


@dataclass(frozen=True)
class Tested:
    """Tested differences, each of a point, or of all points of an adapter in a phase.

    Attributes:
        own: The moderated variances.
        spread: The same with the allowance for nights.
        significance: The tests. Those of controls are corrected for their number apart from the others.
        ratio: Ratios of the medians.
        difference_s: Absolute differences of the medians, in seconds; of several points, their median.
        low: Lower limits of their 95 % intervals.
        high: Upper limits.
    """

    own: Spread
    spread: Spread
    significance: Significance
    ratio: Floats
    difference_s: Floats
    low: Floats
    high: Floats

    def estimate(self, member: int) -> Estimate:
        """Return a difference with its variance."""
        one = self.spread
        variance = float(one.unit_variance[member] * one.factor[member])
        return Estimate(float(one.difference[member]), variance, float(one.degrees_of_freedom[member]))

    def is_finding(self, member: int, limits: Limits) -> bool:
        """Return whether a difference is significant, as large as the threshold, and measurable."""
        return self.is_large(member, limits) and self.is_measurable(member)

    def is_large(self, member: int, limits: Limits) -> bool:
        """Return whether a difference is significant, and at least as large as the threshold."""
        ratio, difference = float(self.ratio[member]), float(self.spread.difference[member])
        is_large = max(ratio, 1 / ratio) >= 1 + limits.threshold and (ratio > 1) == (difference > 0)
        return is_large and bool(self.significance.q[member] <= limits.level)

    def is_measurable(self, member: int) -> bool:
        """Return whether a difference is larger than the error of the clock."""
        return bool(self.difference_s[member] >= CLOCK_ERROR_S)


def tested_points(laid: Layout, draws: Floats, group: Integers, is_control: Booleans, level: float) -> Tested:
    """Test each point.

    Args:
        laid: The samples.
        draws: Ratios of the bootstrap, of points x draws.
        group: For each point the number of its adapter and phase.
        is_control: Whether its adapter is a control.
        level: Largest q of a finding.
    """
    base_s, candidate_s = laid.side_medians_s
    return _tested(
        spread(*laid.logarithms),
        group,
        is_control,
        candidate_s / base_s,
        np.abs(candidate_s - base_s),
        draws,
        level,
        NIGHT_OF_POINT,
    )


def tested_totals(laid: Layout, draws: Floats, group: Integers, is_control: Booleans, level: float) -> Tested:
    """Test the mean of the points of each group.

    Args:
        laid: The samples.
        draws: Ratios of the bootstrap, of points x draws.
        group: For each point the number of its group, from 0.
        is_control: For each group whether its adapter is a control.
        level: Largest q of a finding.
    """
    base, candidate = laid.logarithms
    base_s, candidate_s = laid.side_medians_s
    centre = np.nanmean(base.reshape(len(base), -1), axis=1)
    means = [pooled(values, centre, group) for values in (base, candidate)]
    number = np.bincount(group)
    ratio = np.exp(np.bincount(group, weights=np.log(candidate_s / base_s)) / number)
    mean_draws = np.zeros((len(number), draws.shape[1]))
    np.add.at(mean_draws, group, np.log(draws))
    all_draws = np.exp(mean_draws / number[:, None])
    difference_s = np.abs(candidate_s - base_s)
    return _tested(
        spread(*means),
        is_control.astype(np.int64),
        is_control,
        ratio,
        np.array([np.median(difference_s[group == one]) for one in range(len(number))]),
        all_draws,
        level,
        NIGHT_OF_TOTAL,
    )


def _tested(
    own: Spread,
    group: Integers,
    is_control: Booleans,
    ratio: Floats,
    difference_s: Floats,
    draws: Floats,
    level: float,
    night: NightAllowance,
) -> Tested:
    shrunk = moderated(own, group)
    allowed = with_night_allowance(shrunk, night)
    low, high = interval(draws)
    return Tested(shrunk, allowed, significance(allowed, level, is_control), ratio, difference_s, low, high)
