"""The value of each point and phase in each night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS, Floats, without_traces
from l2sweep.analysis.compare.rows.samples import Point, samples

ROUNDS_READ = (*ROUND_COLUMNS, "profile")
"""The columns of ``rounds`` that a history reads."""


@dataclass(frozen=True)
class NightValues:
    """The value of each series in each night.

    Attributes:
        points: The series: a point, a phase and a state of the page cache, so that a point that was cold in
            one night and warm in another has two.
        nights: Ids of the sweeps, oldest first.
        duration_s: The values, as series x nights: the median over the processes of the night of the median
            duration of their rounds, in seconds. NaN where no process was complete.
    """

    points: tuple[Point, ...]
    nights: tuple[str, ...]
    duration_s: Floats


def night_values(rounds: pa.Table, read_points: Callable[[], pa.Table]) -> NightValues:
    """Return the value of each series in each night.

    The processes are those that ``compare`` takes: of the last attempt at a point, with all rounds ok and as
    many as requested. A process with a profiler does not count, because a profiler slows it down, and a
    replay of a trace has no rounds.

    Args:
        rounds: Rows of ``rounds`` with the columns ``ROUNDS_READ``. Each sweep is a night.
        read_points: Returns the rows of ``points`` of the same sweeps, with the columns
            ``COMPLETENESS_COLUMNS``. It is called only if a process has too few rounds for a fixed number.
    """
    undisturbed = without_traces(rounds.filter(pc.is_null(rounds.column("profile"))))
    taken = samples([undisturbed, undisturbed.slice(0, 0)], read_limits=lambda: [read_points()])
    nights = taken.nights[0]
    cell = taken.point * len(nights) + taken.night
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    duration_s = np.full(len(taken.points) * len(nights), np.nan)
    for own in np.split(order, starts[1:]):
        if len(own):
            duration_s[cell[own[0]]] = np.median(taken.medians_s[own])
    return NightValues(taken.points, nights, duration_s.reshape(len(taken.points), len(nights)))
