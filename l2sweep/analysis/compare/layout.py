"""Lay the samples of the points that both sides have out in arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from l2sweep.analysis.compare.rows.columns import Floats, Integers
from l2sweep.analysis.compare.rows.samples import Samples


@dataclass(frozen=True)
class Layout:
    """The samples of points, each side as an array of points x nights x processes.

    Attributes:
        points: For each point its index in ``Samples.points``.
        process: For both sides the index of each process in the arrays of ``Samples``; -1 where none is.
        median_s: For both sides the median round of each process; NaN where none is.
    """

    points: Integers
    process: tuple[Integers, Integers]
    median_s: tuple[Floats, Floats]

    @property
    def logarithms(self) -> tuple[Floats, Floats]:
        """Natural logarithms of the medians."""
        return np.log(self.median_s[0]), np.log(self.median_s[1])

    @property
    def side_medians_s(self) -> tuple[Floats, Floats]:
        """Median of the processes of each point, for both sides."""
        base, candidate = (np.nanmedian(one.reshape(len(one), -1), axis=1) for one in self.median_s)
        return base, candidate

    @property
    def processes(self) -> tuple[Integers, Integers]:
        """Number of processes of each point, for both sides."""
        base, candidate = ((one >= 0).sum(axis=(1, 2)) for one in self.process)
        return base, candidate

    @property
    def nights(self) -> tuple[Integers, Integers]:
        """Number of nights of each point, for both sides."""
        base, candidate = ((one >= 0).any(axis=2).sum(axis=1) for one in self.process)
        return base, candidate


def layout(samples: Samples) -> Layout:
    """Return the samples of all points that both sides have."""
    has = np.zeros((2, len(samples.points)), dtype=bool)
    has[samples.side, samples.point] = True
    points = np.flatnonzero(has.all(axis=0))
    place = np.full(len(samples.points), -1)
    place[points] = np.arange(len(points))
    depth = int(samples.position.max(initial=0)) + 1
    sides = []
    for side in (0, 1):
        own = np.flatnonzero((samples.side == side) & (place[samples.point] >= 0))
        room = np.full((len(points), max(len(samples.nights[side]), 1), depth), -1)
        room[place[samples.point[own]], samples.night[own], samples.position[own]] = own
        sides.append(room)
    medians_s = samples.medians_s
    with_gap = np.append(medians_s, np.nan)  # index -1 is the gap
    return Layout(points, (sides[0], sides[1]), (with_gap[sides[0]], with_gap[sides[1]]))


def pooled(values: Floats, centre: Floats, group: Integers) -> Floats:
    """Return the mean over the points of each group, process by process.

    The processes of the points that were measured in one repeat of the grid belong together, so what slows a
    whole repeat down does not look like many independent observations.

    Args:
        values: Logarithms of points x nights x processes; NaN where none is.
        centre: For each point what is subtracted first, so that a missing point does not shift the mean.
        group: For each point the number of its group, from 0.

    Returns:
        An array of groups x nights x processes; NaN where no point of the group has a process.
    """
    centred = values - centre[:, None, None]
    number = int(group.max(initial=-1)) + 1
    total, count = (np.zeros((number, *values.shape[1:])) for _ in range(2))
    np.add.at(total, group, np.nan_to_num(centred))
    np.add.at(count, group, ~np.isnan(centred))
    with np.errstate(invalid="ignore"):
        mean: Floats = total / np.where(count > 0, count, np.nan)
    return mean
