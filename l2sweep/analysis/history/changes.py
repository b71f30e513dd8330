"""The history of each point and phase: its values, its changes, and what changed in the environment."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.analysis.control import with_adapter_names
from l2sweep.analysis.history.change_points import MIN_NIGHTS, change_points
from l2sweep.analysis.history.environment import Environments, differences, environments
from l2sweep.analysis.history.series import night_values

if TYPE_CHECKING:
    import pandas as pd

_POINT = ("adapter_type", "num_keys", "in_flight", "data_size_kb")


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
        point_id: Id of the point.
        phase: store, lookup or load.
        cache_state: State of the page cache in all of these nights; empty where there is none.
        adapter_type: Adapter type; ``control`` for the control adapter.
        num_keys: Keys in a submit.
        in_flight: Submits in flight together.
        data_size_kb: Payload of a key, in KiB.
        nights: Ids of all sweeps, oldest first.
        durations_s: The value of each night; None if the night has none.
        changes: The changes of the level, oldest first.
    """

    point_id: str
    phase: str
    cache_state: str
    adapter_type: str
    num_keys: int
    in_flight: int
    data_size_kb: int
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


def histories(rounds: pd.DataFrame, points: pd.DataFrame) -> list[PointHistory]:
    """Return the history of each point and phase, those with the largest newest change first.

    Args:
        rounds: Rows of ``load_rounds``. Each sweep is a night.
        points: Rows of ``load_points`` of the same sweeps.
    """
    import numpy as np

    if rounds.empty:
        return []
    values = night_values(rounds)
    named = with_adapter_names(rounds).drop_duplicates("point_id").set_index("point_id")[list(_POINT)]
    dates = rounds.groupby("sweep_id")["started_at"].min().dt.strftime("%Y-%m-%d").to_dict()
    nights = tuple(str(night) for night in values.columns)
    found: list[PointHistory] = []
    known_environments: Environments | None = None
    for (point_id, phase, cache_state), row in zip(values.index, values.to_numpy().tolist(), strict=True):
        positions = np.flatnonzero(~np.isnan(row)).tolist()
        borders = change_points([row[position] for position in positions], len(values))
        if borders and known_environments is None:
            known_environments = environments(points)
        changes = _changes(
            row, positions, borders, nights, dates, point_id=point_id, environments=known_environments
        )
        durations_s = tuple(None if math.isnan(value) else value for value in row)
        point = named.loc[point_id]
        found.append(
            PointHistory(
                *(str(point_id), str(phase), str(cache_state), str(point["adapter_type"])),
                *(int(point["num_keys"]), int(point["in_flight"]), int(point["data_size_kb"])),
                *(nights, durations_s, changes),
            )
        )
    return sorted(found, key=_loudness)


def _changes(
    row: Sequence[float],
    positions: Sequence[int],
    borders: Sequence[int],
    nights: Sequence[str],
    dates: dict[str, str],
    *,
    point_id: str,
    environments: Environments | None,
) -> tuple[Change, ...]:
    """Return the changes between the levels of one series.

    Args:
        row: The value of each night, with NaN where there is none.
        positions: The nights that have a value.
        borders: Where a new level begins, in ``positions``.
        nights: Ids of the sweeps.
        dates: Day of each sweep.
        point_id: The point.
        environments: Environment of each point in each sweep; needed if there are borders.
    """
    known = [row[position] for position in positions]
    levels = [
        statistics.median(known[start:end]) for start, end in itertools.pairwise([0, *borders, len(known)])
    ]
    changes = []
    for border, (before_s, after_s) in zip(borders, itertools.pairwise(levels), strict=True):
        previous, since = nights[positions[border - 1]], nights[positions[border]]
        assert environments is not None
        changed = differences(environments, point_id, previous, since)
        changes.append(Change(since, dates[since], before_s, after_s, changed))
    return tuple(changes)


def _loudness(history: PointHistory) -> tuple[float, str, int, int, int, str]:
    newest = history.last_change
    size = abs(math.log(newest.after_s / newest.before_s)) if newest else 0.0
    identity = (history.adapter_type, history.data_size_kb, history.num_keys, history.in_flight)
    return (-size, *identity, history.phase)
