"""The phases that processes ran, and the groups over which they are summarised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2sweep.analysis.ended import requested_phases
from l2sweep.analysis.rounds.source import Flags, Integers, Values, is_known
from l2sweep.analysis.rounds.table import RoundTable

Row = Mapping[str, Any]

_RUN = ("sweep_id", "point_index", "attempt", "phase")
COLUMNS_OF_ATTEMPTS = frozenset(
    (
        *("sweep_id", "sweep_name", "point_id", "point_index", "repeat", "attempt", "phase"),
        *("adapter_type", "adapter_spec", "model", "num_keys", "in_flight", "data_size_kb"),
        *("lookup_max_hit_rate", "rounds", "warmup_rounds", "namespace", "payload_namespace", "seed"),
        *("profile", "host", "lmcache_version", "release", "cache_state", "lookup_answered_by"),
        *("trace", "trace_speed"),
    )
)
"""Columns with one value in each phase of an attempt, as the fields of the adapter spec have."""
STATES = ("cache_state", "lookup_answered_by")
"""Columns of ``NEVER_POOLED`` that a run of which no round completed may lack."""
NEVER_POOLED = ("phase", "profile", *STATES, "trace")
"""Columns that separate groups, whatever else groups them: a profiler disturbs, claimed is not cold, a lookup
that a dictionary in the client answers says nothing of the server, and a second of a trace is no round."""


@dataclass(frozen=True)
class PhaseRuns:
    """The phases of the last attempt at each point, with their measured rounds.

    Attributes:
        rounds: The measured rounds.
        run_of_round: For each of them, the position of its phase run.
        described: For each phase run, its columns by name.
        is_split: Whether the runs are split by a column that differs between the rounds of a process.
    """

    rounds: RoundTable
    run_of_round: Integers
    described: Sequence[Row]
    is_split: bool

    @classmethod
    def of(cls, rounds: RoundTable, names: Iterable[str], points: Iterable[Row] = ()) -> PhaseRuns:
        """Find the phase runs of some rounds, in the order in which they were run.

        A phase without a measured round is found as well, if ``points`` tells of it.

        Args:
            rounds: Rows of the data set ``rounds``, in the order in which they were run.
            names: Columns that describe a phase run. A phase run is split by one that differs in its rounds.
            points: Rows of the data set ``points``.
        """
        names = tuple(dict.fromkeys((*_RUN, *names, "cache_state")))
        splitting = [
            name for name in names if name not in COLUMNS_OF_ATTEMPTS and not name.startswith("adapter.")
        ]
        is_warmup = rounds.values("is_warmup").astype(np.bool_)
        measured = rounds.where(~is_warmup)
        starts = _starts_of_equal_rows(measured, [*_RUN, *splitting, "cache_state"])
        lengths = np.diff(starts, append=len(measured))
        of_start = measured.at(starts)
        columns = {name: _known_values(of_start.values(name)) for name in names}
        found: dict[tuple[Any, ...], int] = {}
        described: list[dict[str, Any]] = []
        states: list[set[str]] = []
        run_of_start = np.zeros(len(starts), dtype=np.int64)
        for position, values in enumerate(zip(*columns.values(), strict=True)):
            row = dict(zip(names, values, strict=True))
            key = tuple(row[name] for name in (*_RUN, *splitting))
            run = run_of_start[position] = found.setdefault(key, len(found))
            if run == len(described):
                described.append(row)
                states.append(set())
            if row["cache_state"] is not None:
                states[run].add(row["cache_state"])
        for row, of_run in zip(described, states, strict=True):
            row["cache_state"] = joined_states(of_run)
        points = list(points)
        if not splitting:
            described += _without_rounds(found, points, names)
        runs = np.repeat(run_of_start, lengths)
        return cls(measured, runs, described, bool(splitting))._of_last_attempts(points)

    def _of_last_attempts(self, points: Iterable[Row]) -> PhaseRuns:
        last: dict[tuple[str, int], int] = {}
        for row in (*self.described, *points):
            place = row["sweep_id"], row["point_index"]
            last[place] = max(last.get(place, 0), row["attempt"])
        is_last = np.array(
            [row["attempt"] == last[row["sweep_id"], row["point_index"]] for row in self.described],
            dtype=np.bool_,
        )
        if is_last.all():
            return self
        of_last = is_last[self.run_of_round]
        renumbered = np.cumsum(is_last) - 1
        described = [row for row, kept in zip(self.described, is_last, strict=True) if kept]
        runs = renumbered[self.run_of_round[of_last]]
        return PhaseRuns(self.rounds.where(of_last), runs, described, self.is_split)

    def grouped(self, by: Sequence[str], timed_runs: Flags) -> tuple[Integers, list[list[int]]]:
        """Group the phase runs.

        A run of which no round completed may have no state of the page cache, and nothing that answered its
        lookups. It joins the repeats that have one, so that its failure is shown beside their numbers.

        Args:
            by: The columns that have the same value in a group.
            timed_runs: Which runs have a round with a duration.

        Returns:
            For each run, the number of its group, in the order of the first runs; and the runs of each group.
        """
        others = [name for name in (*by, *NEVER_POOLED) if name not in STATES]
        keys = [tuple(row[name] for name in others) for row in self.described]
        known: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        for key, row in zip(keys, self.described, strict=True):
            for name in STATES:
                known[*key, name] |= {row[name]} - {None}
        groups: dict[tuple[Any, ...], list[int]] = {}
        group_of_run = np.zeros(len(keys), dtype=np.int64)
        for run, (key, row) in enumerate(zip(keys, self.described, strict=True)):
            states = []
            for name in STATES:
                state, others_have = row[name], known[*key, name]
                is_lost = state is None and not timed_runs[run] and len(others_have) == 1
                states.append(next(iter(others_have)) if is_lost else state)
            groups.setdefault((*key, *states), []).append(run)
        for group, runs in enumerate(groups.values()):
            group_of_run[runs] = group
        return group_of_run, list(groups.values())


def joined_states(states: Iterable[str]) -> str | None:
    """Return states of the page cache, joined by ``/`` if they differ; None if there is none."""
    return "/".join(sorted(set(states))) or None


def _starts_of_equal_rows(rounds: RoundTable, names: Iterable[str]) -> Integers:
    """Return the positions of the rows that differ from the row before in one of the columns."""
    differs = np.zeros(len(rounds), dtype=np.bool_)
    differs[:1] = True
    for name in names:
        differs |= rounds.differs_from_previous(name)
    return np.flatnonzero(differs)


def _known_values(values: Values) -> list[Any]:
    """Return values with None where there is none."""
    found: list[Any] = values.tolist()
    return found if values.dtype.kind in "biu" else [value if is_known(value) else None for value in found]


def _without_rounds(
    found: Iterable[tuple[Any, ...]], points: Iterable[Row], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a description of each requested phase that has no measured round."""
    known = set(found)
    described = []
    for point in points:
        for phase in requested_phases(point):
            key = (point["sweep_id"], point["point_index"], point["attempt"], phase)
            if key not in known:
                known.add(key)
                row = {name: value if is_known(value := point.get(name)) else None for name in names}
                described.append({**row, "phase": phase, **dict.fromkeys(STATES)})
    return described
