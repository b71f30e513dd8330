"""The rate of each host at each point and phase, from the rows of sweeps.

A sample is a process, as in ``l2sweep compare``: the median of its rounds, if all of them are ok. Every host
moves the same bytes in a round of a point, so that the ratio of two rates is that of the durations, inverted.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from l2sweep.analysis.compare.rows.columns import ROUND_COLUMNS, without_traces
from l2sweep.analysis.compare.rows.failures import Failure
from l2sweep.analysis.compare.rows.samples import Point, Samples, samples
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.fleet.robust import known_medians
from l2sweep.analysis.rounds.samples import Samples as Sorted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

ROUNDS_READ = (*ROUND_COLUMNS, "profile", "release")
"""The columns of ``rounds`` that a fleet needs."""


@dataclass(frozen=True)
class HostRates:
    """What each host reached. Each of the last four arrays has a value for each process and phase.

    Attributes:
        hosts: Names of all hosts, also of those that completed nothing.
        points: Each point and phase that at least two hosts completed. Their ``fleet_host`` is None.
        completed: Each point and phase that a host completed, with these hosts.
        failures: The processes that failed.
        log_rate: Logarithm of the rate: minus that of the duration of the median round, in seconds.
        point: Index of the point.
        host: Index of the host.
        process: Number of the process. The phases that a process ran have the same number.
    """

    hosts: tuple[str, ...]
    points: tuple[Point, ...]
    completed: Mapping[Point, Set[str]]
    failures: tuple[Failure, ...]
    log_rate: Floats
    point: Integers
    host: Integers
    process: Integers

    @functools.cached_property
    def medians(self) -> Floats:
        """Median of the processes, of points x hosts; NaN where a host completed none."""
        shape = len(self.points), len(self.hosts)
        is_exact = np.zeros(len(self.log_rate), dtype=np.bool_)
        cell = self.point * len(self.hosts) + self.host
        return Sorted.of(self.log_rate, is_exact, cell, shape[0] * shape[1]).median().values.reshape(shape)

    @functools.cached_property
    def of_points(self) -> Sequence[Integers]:
        """For each point, the indices of its values in the arrays."""
        order = np.argsort(self.point, kind="stable")
        return np.split(order, np.searchsorted(self.point[order], np.arange(1, len(self.points))))

    @functools.cached_property
    def usual(self) -> Floats:
        """Median of the hosts, for each point."""
        return known_medians(self.medians)

    @functools.cached_property
    def relative(self) -> Floats:
        """``medians`` minus ``usual``, of points x hosts."""
        relative: Floats = self.medians - self.usual[:, None]
        return relative


def host_rates(rounds: pa.Table, points: pa.Table) -> HostRates:
    """Return the rate of each host at each point and phase.

    A process beside which a profiler ran does not count, and a replay of a trace has no rounds.

    Args:
        rounds: Rows of ``rounds`` with the columns ``ROUNDS_READ``.
        points: Rows of ``points`` of the same sweeps with the columns ``POINT_ROW_COLUMNS``.
    """
    measured = without_traces(rounds.filter(pc.is_null(rounds.column("profile"))))
    tables = [_by_host(table) for table in (measured, points)]
    taken = samples([tables[0], tables[0].slice(0, 0)], [tables[1], tables[1].slice(0, 0)])
    named = {host for table in tables for host in pc.unique(table.column(FLEET_HOST)).to_pylist()}
    hosts = tuple(sorted(named - {None}))
    cells = [replace(point, fleet_host=None) for point in taken.points]
    completed: dict[Point, set[str]] = {}
    for index in np.unique(taken.point).tolist():
        completed.setdefault(cells[index], set()).add(str(taken.points[index].fleet_host))
    return _rates(taken, hosts, cells, completed)


def _by_host(table: pa.Table) -> pa.Table:
    """Return rows whose hosts are never pooled, whether their sweep is a fleet or not."""
    return table.drop_columns([FLEET_HOST]).append_column(FLEET_HOST, table.column("host").cast(pa.string()))


def _rates(
    taken: Samples, hosts: Sequence[str], cells: Sequence[Point], completed: Mapping[Point, Set[str]]
) -> HostRates:
    several = [cell for cell, on in completed.items() if len(on) > 1]
    number = {cell: index for index, cell in enumerate(several)}
    point_of = np.array([number.get(cell, -1) for cell in cells], dtype=np.int64)
    host_number = {host: index for index, host in enumerate(hosts)}
    host_of = np.array([host_number[str(point.fleet_host)] for point in taken.points], dtype=np.int64)
    ids = {point_id: code for code, point_id in enumerate(dict.fromkeys(cell.point_id for cell in cells))}
    id_of = np.array([ids[cell.point_id] for cell in cells], dtype=np.int64)
    kept = np.flatnonzero(point_of[taken.point] >= 0) if len(cells) else np.zeros(0, dtype=np.int64)
    of_point = taken.point[kept]
    places = np.stack([id_of[of_point], host_of[of_point], taken.night[kept], taken.position[kept]])
    process = np.unique(places, axis=1, return_inverse=True)[1].reshape(-1)
    return HostRates(
        hosts=tuple(hosts),
        points=tuple(several),
        completed=completed,
        failures=taken.failures,
        log_rate=-np.log(taken.medians_s[kept]),
        point=point_of[of_point],
        host=host_of[of_point],
        process=process,
    )
