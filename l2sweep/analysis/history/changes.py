"""The history of each point and phase: its values, its changes, and what changed in the environment."""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.history.change_points import MIN_NIGHTS, change_points
from l2sweep.analysis.history.environment import Environments, differences, environments
from l2sweep.analysis.history.series import night_values


@dataclass(frozen=True)
class Change:
    """A change of the level of a series.

    Attributes:
        since: The sweep with which the new level begins.
        since_date: The day on which it started, in UTC.
        before_s: Median duration on the level before.
        after_s: Median duration on the new level.
        environment: What changed in the environment of the point from the previous night of the series to
            this one, such as ``LMCache 0.5.5 → 0.5.6``.
    """

    since: str
    since_date: str
    before_s: float
    after_s: float
    environment: tuple[str, ...]

    @property
    def percent(self) -> float:
        """By how much the duration changed, in percent: above 0 is slower."""
        return (self.after_s / self.before_s - 1) * 100


@dataclass(frozen=True)
class PointHistory:
    """The series of a point and phase.

    Attributes:
        point: The point, the phase, and the state of the page cache in all of these nights.
        nights: Ids of all sweeps, oldest first.
        durations_s: The value of each night; None if the night has none.
        changes: The changes of the level, oldest first.
    """

    point: Point
    nights: tuple[str, ...]
    durations_s: tuple[float | None, ...]
    changes: tuple[Change, ...]

    @property
    def known_s(self) -> tuple[float, ...]:
        """The durations of the nights that have one, oldest first."""
        return tuple(value for value in self.durations_s if value is not None)

    @property
    def is_long_enough(self) -> bool:
        """Whether the series has enough nights to find changes."""
        return len(self.known_s) >= MIN_NIGHTS

    @property
    def last_change(self) -> Change | None:
        """The newest change of the level; None if there is none."""
        return self.changes[-1] if self.changes else None


def histories(rounds: pa.Table, read_points: Callable[[], pa.Table]) -> list[PointHistory]:
    """Return the history of each point and phase, those with the largest newest change first.

    Args:
        rounds: Rows of ``rounds`` with the columns ``ROUNDS_READ``. Each sweep is a night.
        read_points: Returns the rows of ``points`` of the same sweeps, with the columns ``POINTS_READ``. It
            is called only if there is a change, or a process has too few rounds for a fixed number.
    """
    read_points = functools.cache(read_points)
    values = night_values(rounds, read_points)
    known = [
        {night: value for night, value in enumerate(row) if not math.isnan(value)}
        for row in values.duration_s.tolist()
    ]
    borders = [change_points(list(row.values()), len(known)) for row in known]
    environment = environments(read_points()) if any(borders) else {}
    began = _began(rounds)
    found = [
        PointHistory(
            point,
            values.nights,
            tuple(row.get(night) for night in range(len(values.nights))),
            _changes((point.point_id, point.fleet_host), values.nights, row, own, began, environment),
        )
        for point, row, own in zip(values.points, known, borders, strict=True)
    ]
    return sorted(found, key=_loudness)


def _began(rounds: pa.Table) -> dict[str, datetime]:
    """Return when each sweep began."""
    grouped = (
        rounds.select(["sweep_id", "started_at"]).group_by("sweep_id").aggregate([("started_at", "min")])
    )
    return {row["sweep_id"]: row["started_at_min"] for row in grouped.to_pylist()}


def _changes(
    place: tuple[str, str | None],
    nights: Sequence[str],
    known: dict[int, float],
    borders: Sequence[int],
    began: dict[str, datetime],
    environment: Environments,
) -> tuple[Change, ...]:
    """Return the changes between the levels of one series.

    Args:
        place: Id of the point, and the host of a fleet.
        nights: Ids of the sweeps.
        known: The values, by the index of the night.
        borders: The positions among the known values at which a new level begins.
        began: When each sweep began.
        environment: Environment of each point in each sweep.
    """
    if not borders:
        return ()
    values, of_value = list(known.values()), [nights[night] for night in known]
    levels = [
        statistics.median(values[start:end]) for start, end in itertools.pairwise([0, *borders, len(values)])
    ]
    return tuple(
        Change(
            since=of_value[border],
            since_date=f"{began[of_value[border]]:%Y-%m-%d}",
            before_s=before_s,
            after_s=after_s,
            environment=differences(environment, place, of_value[border - 1], of_value[border]),
        )
        for border, (before_s, after_s) in zip(borders, itertools.pairwise(levels), strict=True)
    )


def _loudness(history: PointHistory) -> tuple[float, str, int, int, int, str, str]:
    newest, point = history.last_change, history.point
    size = abs(math.log(newest.after_s / newest.before_s)) if newest else 0.0
    place = (point.data_size_kb, point.num_keys, point.in_flight, point.phase, point.fleet_host or "")
    return (-size, point.adapter, *place)
