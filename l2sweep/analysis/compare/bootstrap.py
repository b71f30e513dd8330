"""Draw ratios of medians by a hierarchical bootstrap over nights, processes and rounds."""

from __future__ import annotations

import numpy as np

from l2sweep.analysis.compare.layout import Layout
from l2sweep.analysis.compare.rows.columns import Floats, Integers
from l2sweep.analysis.compare.rows.samples import Samples

_SEED = 20261124
_DRAWS = 1000
"""Percentiles at 2.5 and 97.5 % of 1,000 draws: Efron and Tibshirani (1993), section 13.3."""
_FEWEST_DRAWS = 200
_MOST_VALUES = 20_000_000
"""Values that are drawn in all, before the number of draws is reduced: about 2 s."""
_MOST_AT_ONCE = 4_000_000
_ROUND_DRAWS = 64
"""Medians that are drawn for each process; a draw of a process picks one of them."""


def ratio_draws(samples: Samples, layout: Layout) -> Floats:
    """Draw the ratio of medians of each point, candidate to base.

    Each draw resamples nights, then processes of each drawn night, then rounds of each drawn process, with
    replacement: Ren et al., "Nonparametric bootstrapping for hierarchical data", Journal of Applied
    Statistics 37 (2010). All points share the draw of nights and processes, so that what they have in common
    stays in common when their ratios are averaged.

    Where one side has a single night and the other one has several, the single night is shifted by the
    deviation of a drawn night of the other side: it is one draw of a night as well.

    Args:
        samples: The samples.
        layout: Their layout.

    Returns:
        An array of points x draws.
    """
    shape = [one.shape[1] * one.shape[2] for one in layout.process]
    number = len(layout.points)
    draws = int(np.clip(_MOST_VALUES / max(number * sum(shape), 1), _FEWEST_DRAWS, _DRAWS))
    generator = np.random.default_rng(_SEED)
    medians = _round_medians(samples, generator)
    picks = [_Picks(one.shape[1], one.shape[2], draws, generator) for one in layout.process]
    logarithms = layout.logarithms
    ratios = np.empty((number, draws))
    at_once = max(1, _MOST_AT_ONCE // (draws * max(shape)))
    for start in range(0, number, at_once):
        part = slice(start, start + at_once)
        base, candidate = (
            one.side_medians(process[part], medians)
            for one, process in zip(picks, layout.process, strict=True)
        )
        ratios[part] = candidate / base * _night_factor((logarithms[0][part], logarithms[1][part]), picks)
    return ratios


def interval(draws: Floats) -> tuple[Floats, Floats]:
    """Return the limits of the 95 % interval: the percentiles of the draws."""
    low, high = np.percentile(draws, [2.5, 97.5], axis=-1)
    return low, high


class _Picks:
    """Random numbers for one side, shared by all points.

    Args:
        nights: Most nights of a point.
        processes: Most processes of a point in a night.
        draws: Number of draws.
        generator: Source of the random numbers.
    """

    def __init__(self, nights: int, processes: int, draws: int, generator: np.random.Generator) -> None:
        self.night = generator.random((draws, nights))
        self.process = generator.random((draws, nights, processes))
        self.round = generator.integers(_ROUND_DRAWS, size=(draws, nights, processes))
        self.other_night = generator.random(draws)

    def side_medians(self, process: Integers, medians: Floats) -> Floats:
        """Return the median of the resampled processes, of points x draws.

        Args:
            process: Index of each process, of points x nights x processes; -1 where none is.
            medians: Medians of resampled rounds, of processes x draws of rounds.
        """
        count = (process >= 0).sum(axis=2)
        drawn = np.empty((len(process), len(self.night)))
        # Points with the same number of processes in each night share what is drawn: most points do.
        patterns, pattern_of = np.unique(count, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            own = np.flatnonzero(pattern_of.ravel() == number)
            drawn[own] = self._medians_of(process[own], pattern, medians)
        return drawn

    def _medians_of(self, process: Integers, count: Integers, medians: Floats) -> Floats:
        """Return the medians of points with the same ``count`` of processes in each night."""
        with_processes = np.flatnonzero(count)
        nights = len(with_processes)
        night = with_processes[_picked(self.night[:, :nights], np.array(nights))]
        drawn_count = count[night]
        # The processes of a night are at the first positions.
        which = _picked(self.process[:, :nights], drawn_count[..., None])
        is_drawn = np.arange(process.shape[2]) < drawn_count[..., None]
        place = (night[..., None] * process.shape[2] + which)[is_drawn]
        rounds = self.round[:, :nights][is_drawn]
        chosen = process.reshape(len(process), -1)[:, place] * medians.shape[1] + rounds
        values = np.full((len(process), *is_drawn.shape), np.inf)
        values[:, is_drawn] = medians.ravel()[chosen]
        return _median(values.reshape(*values.shape[:2], -1), is_drawn.sum(axis=(1, 2))[None])


def _picked(random: Floats, count: Integers) -> Integers:
    """Return random indices below each count; 0 where the count is 0."""
    picked: Integers = np.minimum((random * count).astype(np.int64), np.maximum(count - 1, 0))
    return picked


def _median(values: Floats, count: Integers) -> Floats:
    """Return the median of the ``count`` smallest values of the last axis."""
    ordered = np.sort(values, axis=-1)
    low = np.take_along_axis(ordered, ((count - 1) // 2)[..., None], axis=-1)
    high = np.take_along_axis(ordered, (count // 2)[..., None], axis=-1)
    median: Floats = ((low + high) / 2)[..., 0]
    return median


def _round_medians(samples: Samples, generator: np.random.Generator) -> Floats:
    """Return medians of resampled rounds, of processes x ``_ROUND_DRAWS``.

    The median of a resample is the mean of the values at the middle ranks of the drawn indices, so processes
    with the same number of rounds share one table of ranks.
    """
    medians = np.empty((len(samples.first) + 1, _ROUND_DRAWS))
    for number in np.unique(samples.count):
        own = np.flatnonzero(samples.count == number)
        ranks = np.sort(generator.integers(number, size=(4096, number)), axis=1)
        row = generator.integers(len(ranks), size=(len(own), _ROUND_DRAWS))
        first = samples.first[own][:, None]
        low = samples.durations_s[first + ranks[row, (number - 1) // 2]]
        high = samples.durations_s[first + ranks[row, number // 2]]
        medians[own] = (low + high) / 2
    medians[-1] = np.nan
    return medians


def _deviations(logarithms: Floats) -> tuple[Floats, Integers]:
    """Return how far the mean of each night of each point is from that of all nights, and their number.

    The nights without a process are last. Deviations from the mean of n nights are too small by the root of
    (n - 1) / n, so they are enlarged.
    """
    with np.errstate(invalid="ignore"):
        means = np.nansum(logarithms, axis=2) / (~np.isnan(logarithms)).sum(axis=2)
    number = (~np.isnan(means)).sum(axis=1)
    deviations = means - (np.nansum(means, axis=1) / number)[:, None]
    deviations *= np.sqrt(number / np.maximum(number - 1, 1))[:, None]
    return np.take_along_axis(deviations, np.argsort(np.isnan(means), axis=1, kind="stable"), axis=1), number


def _night_factor(logarithms: tuple[Floats, Floats], picks: list[_Picks]) -> Floats:
    """Return the factor of each draw by which the single night of one side may differ from a usual night."""
    deviations = [_deviations(one) for one in logarithms]
    shift = np.zeros((len(logarithms[0]), len(picks[0].night)))
    for single, other, sign in ((1, 0, 1), (0, 1, -1)):
        values, number = deviations[other]
        drawn = np.take_along_axis(values, _picked(picks[single].other_night[None], number[:, None]), axis=1)
        applies = (deviations[single][1] == 1) & (number > 1)
        shift += np.where(applies[:, None], sign * drawn, 0.0)
    return np.exp(shift)
