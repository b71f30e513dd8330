"""Estimate how far two sets of samples differ by chance: variance components, moderated over the points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_FEWEST_OF_A_GROUP = 4
"""With fewer members, the mean of a group says little more than the member itself."""
_LEAST_VARIANCE = 1e-10
"""Of the logarithm of a duration: a deviation of 0.001 %, less than the clock can measure."""


@dataclass(frozen=True)
class NightAllowance:
    """How much a night is taken to deviate where both sides have a single one.

    Attributes:
        least_deviation: Least standard deviation of a night, of the logarithm of a duration.
        share: Standard deviation of a night, as a share of that of the processes.
    """

    least_deviation: float
    share: float

    def variance(self, process_variance: Floats) -> Floats:
        """Return the variance of a night, from that of the processes."""
        allowed: Floats = np.maximum(self.least_deviation**2, self.share**2 * process_variance)
        return allowed


@dataclass(frozen=True)
class Spread:
    """The variance of the difference between candidate and base, for each member of a comparison.

    A member is a point, or the mean of several points. Where a side has several nights, a night is a unit:
    the mean of its processes varies by the variance between nights and by that between processes. Else the
    processes are the units.

    Attributes:
        difference: Mean logarithm of the candidate minus that of the base. With several nights, it is the
            mean of the means of the nights.
        unit_variance: Variance of a unit.
        degrees_of_freedom: Degrees of freedom of ``unit_variance``; 0 if there are too few units.
        factor: The variance of the difference is ``unit_variance`` times this.
        by_night: Whether the nights are the units.
        night_variance: Variance between nights, apart from that between processes; NaN if it is unknown.
        process_variance: Variance between the processes of a night; NaN if it is unknown.
        residuals: For each member the deviations of its units from the mean of their side; 0 where a unit
            is missing.
    """

    difference: Floats
    unit_variance: Floats
    degrees_of_freedom: Floats
    factor: Floats
    by_night: Booleans
    night_variance: Floats
    process_variance: Floats
    residuals: Floats

    @property
    def standard_error(self) -> Floats:
        """Standard error of the difference; NaN without degrees of freedom."""
        error: Floats = np.sqrt(self.unit_variance * self.factor)
        return error


def spread(base: Floats, candidate: Floats) -> Spread:
    """Estimate the variance of the difference of each member from its own samples.

    The components are estimated by the analysis of variance: Searle, Casella and McCulloch, "Variance
    Components" (1992), chapter 3. A negative estimate counts as 0.

    Args:
        base: Logarithms of the samples, with the shape members x nights x processes; NaN where none is.
        candidate: The same of the candidate.
    """
    sides = [_Side.of(values) for values in (base, candidate)]
    within = sum(side.within for side in sides)
    within_freedom = sum(side.within_freedom for side in sides)
    with np.errstate(invalid="ignore", divide="ignore"):
        process_variance = np.where(within_freedom > 0, within / within_freedom, np.nan)
        by_night = np.maximum(*(side.nights for side in sides)) > 1

        night_freedom = sum(side.nights - 1 for side in sides)
        mean_variance = sum(side.between for side in sides) / night_freedom
        share = sum((side.nights - 1) * side.share for side in sides) / night_freedom
        known = np.nan_to_num(process_variance)
        night_variance = np.where(by_night, np.maximum(0, mean_variance - known * share), np.nan)
        by_night_factor = sum(1 / side.nights for side in sides)
        process_share = sum(side.share / side.nights for side in sides)
        of_difference = night_variance * by_night_factor + known * process_share
        process_factor = sum(1 / side.processes for side in sides)
        return Spread(
            difference=sides[1].mean - sides[0].mean,
            unit_variance=np.where(by_night, of_difference / by_night_factor, process_variance),
            degrees_of_freedom=np.where(by_night, night_freedom, within_freedom).astype(float),
            factor=np.where(by_night, by_night_factor, process_factor),
            by_night=by_night,
            night_variance=night_variance,
            process_variance=process_variance,
            residuals=_residuals(sides, by_night),
        )


def with_night_allowance(processes: Spread, allowance: NightAllowance) -> Spread:
    """Add the variance between nights where both sides have a single one, so that it cannot be estimated.

    Args:
        processes: The variances. Those of members whose units are nights are left as they are.
        allowance: How much a night deviates.

    Returns:
        The variances, with the degrees of freedom of the sum: Satterthwaite, "An approximate distribution of
        estimates of variance components", Biometrics Bulletin 2 (1946).
    """
    of_nights = 2 * allowance.variance(processes.unit_variance) / processes.factor
    together = processes.unit_variance + np.where(processes.by_night, 0.0, of_nights)
    # A share of an estimated variance is as uncertain as the estimate. The least deviation is not estimated.
    is_share = allowance.variance(processes.unit_variance) > allowance.least_deviation**2
    estimated = np.where(is_share, together, processes.unit_variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = processes.degrees_of_freedom * (together / estimated) ** 2
    return replace(
        processes,
        unit_variance=together,
        degrees_of_freedom=np.where(processes.by_night, processes.degrees_of_freedom, freedom),
    )


def moderated(own: Spread, group: Integers) -> Spread:
    """Shrink the variances towards those of similar members, so that few units are enough.

    The variances of a group are taken as draws around a common variance. How closely they agree gives the
    prior degrees of freedom: G. K. Smyth, "Linear models and empirical Bayes methods for assessing
    differential expression in microarray experiments", Statistical Applications in Genetics and Molecular
    Biology 3 (2004), section 6. Its common prior is here the mean of a group, as with a trend in limma. As in
    limma, a variance never gets more degrees of freedom than its whole group has; members that vary together
    (a whole night is slow) count as fewer.

    Args:
        own: The estimate from each member's own samples.
        group: For each member the number of its group. A group of fewer than four is left as it is.

    Returns:
        The moderated variances and their degrees of freedom.
    """
    from scipy.special import digamma, polygamma

    freedom = own.degrees_of_freedom
    usable = (freedom > 0) & np.isfinite(own.unit_variance)
    variance = np.where(usable, np.maximum(own.unit_variance, _LEAST_VARIANCE), np.nan)
    half = np.where(usable, freedom / 2, 1.0)
    level = np.log(np.where(usable, variance, 1.0)) - digamma(half) + np.log(half)
    group = np.unique(np.stack([group, own.by_night]), axis=1, return_inverse=True)[1].reshape(-1)
    size = np.bincount(group, weights=usable)
    mean = np.bincount(group, weights=np.where(usable, level, 0.0)) / np.maximum(size, 1)
    shrunk = usable & (size[group] >= _FEWEST_OF_A_GROUP)
    if not shrunk.any():
        return replace(own, unit_variance=variance)
    members = np.unique(group[shrunk])
    scatter = float(np.sum((level - mean[group])[shrunk] ** 2) / (size[members] - 1).sum())
    excess = scatter - float(np.mean(polygamma(1, half[shrunk])))
    prior = 2 * _trigamma_inverse(excess) if excess > 0 else np.inf
    correction = digamma(prior / 2) - np.log(prior / 2) if np.isfinite(prior) else 0.0
    prior_variance = np.exp(mean[group] + correction)
    most = _freedom_of_groups(own, group, usable)[group]
    with np.errstate(invalid="ignore"):
        weighted = (prior * prior_variance + freedom * variance) / (prior + freedom)
    posterior = prior_variance if np.isinf(prior) else weighted
    return replace(
        own,
        unit_variance=np.where(shrunk, posterior, variance),
        degrees_of_freedom=np.where(shrunk, np.maximum(freedom, np.minimum(prior + freedom, most)), freedom),
    )


@dataclass(frozen=True)
class _Side:
    """Sums of one side, for each member."""

    nights: Floats
    processes: Floats
    mean: Floats
    between: Floats
    within: Floats
    within_freedom: Floats
    share: Floats
    values: Floats
    night_means: Floats

    @classmethod
    def of(cls, values: Floats) -> _Side:
        is_there = ~np.isnan(values)
        count = is_there.sum(axis=2).astype(float)
        filled = np.where(is_there, values, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            night_means = filled.sum(axis=2) / count
            nights = (count > 0).sum(axis=1).astype(float)
            mean = np.nansum(night_means, axis=1) / nights
            share = np.where(count > 0, 1 / count, 0.0).sum(axis=1) / nights
        deviation = np.where(is_there, values - night_means[:, :, None], 0.0)
        between = np.nansum((night_means - mean[:, None]) ** 2, axis=1)
        within = (deviation**2).sum(axis=(1, 2))
        freedom = np.maximum(count - 1, 0).sum(axis=1)
        total = count.sum(axis=1)
        return cls(nights, total, mean, between, within, freedom, share, values, night_means)


def _residuals(sides: list[_Side], by_night: Booleans) -> Floats:
    parts = []
    for side in sides:
        nights = np.nan_to_num(side.night_means - side.mean[:, None])
        one_by_one = (side.values - side.mean[:, None, None]).reshape(len(side.mean), -1)
        room = np.zeros((len(side.mean), max(nights.shape[1], one_by_one.shape[1])))
        room[:, : nights.shape[1]] = np.where(by_night[:, None], nights, 0.0)
        room[:, : one_by_one.shape[1]] += np.where(by_night[:, None], 0.0, np.nan_to_num(one_by_one))
        parts.append(room)
    return np.concatenate(parts, axis=1)


def _freedom_of_groups(own: Spread, group: Integers, usable: Booleans) -> Floats:
    """Return the degrees of freedom of all members of each group together.

    If the correlation of two members is r, that of their variances is r squared (of normal values). So n
    members whose squared correlations have the mean m tell as much as n / (1 + (n - 1) m) independent ones.
    """
    freedom = np.zeros(group.max() + 1)
    for one in np.unique(group[usable]):
        members = np.flatnonzero(usable & (group == one))
        degrees = float(own.degrees_of_freedom[members].mean())
        length = np.linalg.norm(own.residuals[members], axis=1, keepdims=True)
        unit = own.residuals[members] / np.where(length > 0, length, 1.0)
        number = len(members)
        pairs = max(number * (number - 1), 1)
        squared = (float(np.sum((unit.T @ unit) ** 2)) - number) / pairs
        # Independent residuals with d degrees of freedom have a mean squared correlation of 1 / d.
        chance = 1 / degrees
        shared = min(max((squared - chance) / (1 - chance), 0.0), 1.0) if degrees > 1 else 1.0
        freedom[one] = degrees * number / (1 + (number - 1) * shared)
    return freedom


def _trigamma_inverse(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-8 * x:
            break
    return x
