"""Test whether candidate and base differ by more than chance, and correct for the number of tests."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from l2sweep.analysis.compare.variance import Booleans, Floats, Integers, NightAllowance, Spread

_MOST_EXACT = 40
"""Processes of a side up to which the rank test is exact; the normal approximation is then close enough."""
_REPEATS = (*range(2, 21), 25, 30, 40, 50, 75, 100)
"""Numbers of repeats that are tried: nobody repeats a night more often."""


@dataclass(frozen=True)
class Significance:
    """The result of the tests, for each member.

    Attributes:
        p: Two-sided p-value of the moderated t-test; NaN if there are too few units.
        q: The p-values with the false discovery rate controlled over all members that were tested.
        low: Lower limit of the 95 % interval of the ratio, according to the test.
        high: Its upper limit.
        visible: The smallest ratio above 1 that would be significant if it were the only one.
    """

    p: Floats
    q: Floats
    low: Floats
    high: Floats
    visible: Floats


def significance(spread: Spread, level: float, family: Booleans) -> Significance:
    """Test each difference against 0 by Student's t-test, and control the false discovery rate.

    The rate is controlled by the procedure of Benjamini and Hochberg (1995), which also holds for tests that
    depend on each other positively, as the points of one night do (Benjamini and Yekutieli, 2001).

    Args:
        spread: The differences with their variances.
        level: Largest q that counts as significant.
        family: For each member which of two families it belongs to. Each is corrected for its own number.
    """
    from scipy.special import stdtr, stdtrit

    testable = testable_members(spread)
    degrees = np.where(testable, spread.degrees_of_freedom, 1.0)
    scale = np.where(testable, spread.standard_error, 1.0)
    p = np.where(testable, 2 * stdtr(degrees, -np.abs(spread.difference) / scale), np.nan)
    margin = stdtrit(degrees, 0.975) * scale
    alone = stdtrit(degrees, 1 - alone_level(spread, level, family) / 2) * scale
    with np.errstate(over="ignore"):
        limits = (np.exp(spread.difference - margin), np.exp(spread.difference + margin), np.exp(alone))
    low, high, visible = (np.where(testable, limit, np.nan) for limit in limits)
    q = np.full(len(p), np.nan)
    for own in (family, ~family):
        q[own] = controlled(p[own])
    return Significance(p, q, low, high, visible)


def testable_members(spread: Spread) -> Booleans:
    """Return which members have enough units for an estimate of their variance."""
    testable: Booleans = (spread.degrees_of_freedom > 0) & np.isfinite(spread.standard_error)
    return testable


def alone_level(spread: Spread, level: float, family: Booleans) -> Floats:
    """Return the p-value that each member needs if no other one of its family is significant."""
    testable = testable_members(spread)
    numbers = [max(int((testable & own).sum()), 1) for own in (family, ~family)]
    alone: Floats = level / np.where(family, numbers[0], numbers[1])
    return alone


def controlled(p: Floats) -> Floats:
    """Return p-values adjusted so that the false discovery rate is controlled; NaN stays NaN."""
    from scipy.stats import false_discovery_control

    q = np.full(len(p), np.nan)
    known = ~np.isnan(p)
    if known.any():
        q[known] = false_discovery_control(p[known])
    return q


def repeats_needed(
    spread: Spread, family: Booleans, level: float, threshold: float, allowance: NightAllowance
) -> Integers:
    """Return how many processes per sweep would be enough to see a change of the threshold.

    They are enough if a difference of the threshold would be significant without any other. The variances
    are taken as they were estimated.

    Args:
        spread: The moderated variances, without the allowance for nights.
        family: For each member which of two families it belongs to.
        level: Largest q that counts as significant.
        threshold: The change, as a share: 0.05 is 5 %.
        allowance: How much a night deviates where that cannot be estimated.

    Returns:
        A number for each member; -1 if no number is enough, or if there is no estimate.
    """
    from scipy.special import stdtrit

    by_night = spread.by_night
    process = np.where(by_night, np.nan_to_num(spread.process_variance), spread.unit_variance)
    night = np.where(by_night, np.nan_to_num(spread.night_variance), allowance.variance(process))
    factor = np.where(by_night, spread.factor, 2.0)
    testable = testable_members(spread)
    freedom = np.where(testable, spread.degrees_of_freedom, 1.0)
    needed: Integers = np.full(len(freedom), -1)
    for repeats in reversed(_REPEATS):
        degrees = np.where(by_night, freedom, np.maximum(freedom, 2 * (repeats - 1)))
        error = np.sqrt((night + process / repeats) * factor)
        visible = stdtrit(degrees, 1 - alone_level(spread, level, family) / 2) * error
        needed = np.where(testable & (visible <= math.log1p(threshold)), repeats, needed)
    return needed


def rank_tests(base: Floats, candidate: Floats) -> tuple[Floats, Floats]:
    """Test the processes by the Mann-Whitney U test, which takes all of them as independent.

    Args:
        base: Values of members x processes; NaN where none is.
        candidate: The same of the candidate.

    Returns:
        The two-sided p-values, and the smallest ones that the numbers of processes allow.
    """
    from scipy.stats import mannwhitneyu

    counts = np.stack([(~np.isnan(values)).sum(axis=1) for values in (base, candidate)])
    sorted_values = [np.sort(values, axis=1) for values in (base, candidate)]  # NaN last
    p, least = np.full(len(base), np.nan), np.full(len(base), np.nan)
    for first, second in np.unique(counts, axis=1).T:
        own = np.flatnonzero((counts[0] == first) & (counts[1] == second))
        method = "exact" if max(first, second) <= _MOST_EXACT else "asymptotic"
        values = [one[own, :number] for one, number in zip(sorted_values, (first, second), strict=True)]
        p[own] = mannwhitneyu(*values, axis=1, method=method).pvalue
        least[own] = min(1.0, 2 / math.comb(int(first + second), int(first)))
    return p, least
