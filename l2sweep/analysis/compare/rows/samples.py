"""Make samples from rounds: the durations of each process, by point, phase, and night.

A sample is a process, because rounds of one process are not independent. A night is a sweep.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from l2sweep.analysis.clients.merging import first_clients, merged
from l2sweep.analysis.compare.rows.columns import (
    POINT_COLUMNS,
    SAMPLED_COLUMNS,
    Booleans,
    Floats,
    Integers,
    booleans,
    codes,
    combined,
    concatenated,
    floats,
    integers,
    positions,
)
from l2sweep.analysis.compare.rows.completeness import required_rounds
from l2sweep.analysis.compare.rows.failures import Failure, ProcessRows, failures
from l2sweep.analysis.control import CONTROL, adapter_name
from l2sweep.analysis.fleet.hosts import FLEET_HOST


@dataclass(frozen=True)
class Point:
    """A phase of a point: what is compared with itself.

    Attributes:
        point_id: Id of the point.
        phase: store, lookup or load.
        cache_state: State of the page cache in the measured rounds; None where it does not matter.
        adapter: Adapter type; ``control`` for the control adapter.
        spec: Adapter spec, as JSON.
        model: Model whose chunks are moved; None if the size was given.
        num_keys: Keys of a submit.
        in_flight: Submits of a round.
        data_size_kb: Size of a key, in KiB.
        lookup_max_hit_rate: Share of the looked up keys that were stored.
        lookup_answered_by: What answered a lookup, if not the place that holds the data: ``client_cache`` or
            ``index``. None otherwise, and in records before schema version 6.
        fleet_host: Host of a fleet, whose hosts are never pooled; None for other sweeps.
    """

    point_id: str
    phase: str
    cache_state: str | None
    adapter: str
    spec: str
    model: str | None
    num_keys: int
    in_flight: int
    data_size_kb: int
    lookup_max_hit_rate: float | None
    lookup_answered_by: str | None = None
    fleet_host: str | None = None


@dataclass(frozen=True)
class Samples:
    """The processes of both sides. Each array but ``durations_s`` has a value for each process.

    Attributes:
        points: What was measured on at least one side.
        nights: Ids of the sweeps of each side, in the order in which they began.
        side: 0 for the base, 1 for the candidate.
        point: Index of the point.
        night: Index of the sweep within its side.
        position: Position among the processes of the point in the night.
        first: Index of the shortest round in ``durations_s``.
        count: Number of rounds.
        durations_s: Durations of all rounds, sorted within each process.
        failures: The processes that are no samples.
    """

    points: tuple[Point, ...]
    nights: tuple[tuple[str, ...], tuple[str, ...]]
    side: Integers
    point: Integers
    night: Integers
    position: Integers
    first: Integers
    count: Integers
    durations_s: Floats
    failures: tuple[Failure, ...]

    @property
    def medians_s(self) -> Floats:
        """The median round of each process, in seconds."""
        low, high = self.first + (self.count - 1) // 2, self.first + self.count // 2
        medians: Floats = (self.durations_s[low] + self.durations_s[high]) / 2
        return medians


def samples(
    rounds: Sequence[pa.Table],
    points: Sequence[pa.Table] = (),
    read_limits: Callable[[], Iterable[pa.Table]] | None = None,
) -> Samples:
    """Return the samples of base and candidate.

    Only the last attempt at a point counts, and in it only the processes whose measured rounds are all ok,
    and as many as were requested. With ``rounds=auto``, only ``points`` or ``read_limits`` tell that a phase
    came to its end: without them, fewer rounds than the limit are too few.

    Args:
        rounds: Rows of ``rounds`` of base and candidate, with the columns ``ROUND_COLUMNS``; of those, rows
            of an earlier release lack ``client`` and ``clients``.
        points: Rows of ``points`` of base and candidate, if they are known: they tell of processes that
            ended before their first round, and of those that the user stopped.
        read_limits: Returns rows of ``points`` with the columns ``COMPLETENESS_COLUMNS``, if a process has
            too few rounds for a fixed number; None: those of ``points``.
    """
    rounds, points = [merged(one) for one in rounds], [first_clients(one) for one in points]
    table = concatenated([*rounds, *points], SAMPLED_COLUMNS)
    side = np.repeat([0, 1] * (1 + len(points) // 2), [len(rows) for rows in (*rounds, *points)])
    is_round = np.arange(len(table)) < sum(map(len, rounds))
    sweep, sweep_ids = codes(table, "sweep_id")
    phase, phases = codes(table, "phase")
    index = integers(table, "point_index")
    at_point = combined(side, sweep, index)
    is_last = _is_last_attempt(at_point, integers(table, "attempt"))

    measured = is_round & is_last & ~booleans(table, "is_warmup")
    processes, duration_s = _processes(
        table, measured, combined(at_point, phase), read_limits or (lambda: points)
    )
    head = processes.rows[processes.first]
    point, owner = _points(table, phase, phases, processes)
    nights, night = _nights(table, side, sweep, sweep_ids)
    kept = np.flatnonzero(processes.is_sample)
    kept = kept[np.lexsort((index[head[kept]], integers(table, "repeat")[head[kept]]))]
    row = head[kept]
    return Samples(
        points=point,
        nights=nights,
        side=side[row],
        point=owner[kept],
        night=night[row],
        position=positions(combined(owner[kept], side[row], night[row])),
        first=processes.first[kept],
        count=processes.count[kept],
        durations_s=duration_s[processes.rows],
        failures=failures(table, side, at_point, is_last & ~is_round, processes),
    )


def _is_last_attempt(at_point: Integers, attempt: Integers) -> Booleans:
    last = np.zeros(int(at_point.max(initial=-1)) + 1, dtype=np.int64)
    np.maximum.at(last, at_point, attempt)
    is_last: Booleans = attempt == last[at_point]
    return is_last


def _processes(
    table: pa.Table, measured: Booleans, process: Integers, read_limits: Callable[[], Iterable[pa.Table]]
) -> tuple[ProcessRows, Floats]:
    """Return the processes with their measured rounds, the shortest one first, and all durations."""
    duration_s = floats(table, "duration_s")
    rows = np.flatnonzero(measured)
    rows = rows[np.lexsort((duration_s[rows], process[rows]))]
    first = np.flatnonzero(np.diff(process[rows], prepend=-1))
    count = np.diff(first, append=len(rows))
    status, statuses = codes(table, "status")
    is_ok = (np.array([name == "ok" for name in statuses])[status] & (duration_s > 0))[rows]
    required, is_limit = required_rounds(table, rows[first], count, read_limits)
    all_ok = np.logical_and.reduceat(is_ok, first) if len(first) else np.zeros(0, dtype=bool)
    is_sample = all_ok & (count >= required)
    return ProcessRows(rows, first, count, is_ok, is_sample, required, is_limit), duration_s


def _points(
    table: pa.Table, phase: Integers, phases: list[str | None], processes: ProcessRows
) -> tuple[tuple[Point, ...], Integers]:
    """Return the points, and for each process the index of its point."""
    point_id, point_ids = codes(table, "point_id")
    state, states = codes(table, "cache_state")
    in_order = state[processes.rows]
    if len(processes.first) == 0:
        return (), np.zeros(0, dtype=np.int64)
    low, high = (one.reduceat(in_order, processes.first) for one in (np.minimum, np.maximum))
    head = processes.rows[processes.first]
    # A process whose rounds differ in their state is compared only with such processes.
    answered, answers = codes(table, "lookup_answered_by")
    if "server" in answers:
        answered = np.where(answered == answers.index("server"), len(answers) - 1, answered)
    host, hosts = codes(table, FLEET_HOST)
    key = np.stack([point_id[head], phase[head], low, high, answered[head], host[head]])
    unique, example, owner = np.unique(key, axis=1, return_index=True, return_inverse=True)
    values = table.select(POINT_COLUMNS).take(head[example].tolist()).to_pylist()
    names = [
        states[one] if one == two else "/".join(sorted(filter(None, (states[one], states[two]))))
        for one, two in unique[2:4].T
    ]
    found = tuple(
        _point(str(point_ids[one]), str(phases[two]), name, (answers[by], hosts[on]), attributes)
        for (one, two), name, (by, on), attributes in zip(
            unique[:2].T, names, unique[4:6].T, values, strict=True
        )
    )
    return found, owner.reshape(-1)


def _point(
    point_id: str,
    phase: str,
    cache_state: str | None,
    answered_by_and_host: tuple[str | None, str | None],
    values: Mapping[str, Any],
) -> Point:
    spec = values["adapter_spec"] or "{}"
    kind = adapter_name(json.loads(spec)) if values["adapter_type"] == "plugin" else None
    return Point(
        point_id=point_id,
        phase=phase,
        cache_state=cache_state,
        adapter=CONTROL if kind == CONTROL else str(values["adapter_type"]),
        spec=spec,
        lookup_answered_by=answered_by_and_host[0],
        fleet_host=answered_by_and_host[1],
        **{name: values[name] for name in POINT_COLUMNS if not name.startswith("adapter")},
    )


def _nights(
    table: pa.Table, side: Integers, sweep: Integers, sweep_ids: list[str | None]
) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], Integers]:
    """Return the sweeps of each side in the order in which they began, and for each row its sweep."""
    started = table.column("started_at").combine_chunks().cast(pa.int64()).fill_null(np.iinfo(np.int64).max)
    began = np.full(len(sweep_ids), np.iinfo(np.int64).max)
    np.minimum.at(began, sweep, started.to_numpy(zero_copy_only=False))
    night: Integers = np.zeros(len(table), dtype=np.int64)
    nights: list[tuple[str, ...]] = []
    for one in (0, 1):
        own = np.unique(sweep[side == one])
        own = own[np.lexsort(([str(sweep_ids[code]) for code in own], began[own]))]
        rank = np.zeros(len(sweep_ids), dtype=np.int64)
        rank[own] = np.arange(len(own))
        night = np.where(side == one, rank[sweep], night)
        nights.append(tuple(str(sweep_ids[code]) for code in own))
    return (nights[0], nights[1]), night
