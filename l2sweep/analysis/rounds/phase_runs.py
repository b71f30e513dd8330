"""The phases that processes ran, and the groups over which they are summarised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2sweep.analysis.ended import requested_phases
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.rounds.numbering import first_rows, numbered
from l2sweep.analysis.rounds.source import Flags, Integers, Values, is_known, objects
from l2sweep.analysis.rounds.table import RoundTable

Row = Mapping[str, Any]

ATTEMPT = ("sweep_id", "point_index", "attempt")
"""The columns that tell an attempt at a point."""
_RUN = (*ATTEMPT, "phase")
COLUMNS_OF_ATTEMPTS = frozenset(
    (
        *("sweep_id", "sweep_name", "point_id", "point_index", "repeat", "attempt", "phase"),
        *("adapter_type", "adapter_spec", "model", "num_keys", "in_flight", "data_size_kb"),
        *("lookup_max_hit_rate", "rounds", "warmup_rounds", "namespace", "payload_namespace", "seed"),
        *("profile", "host", "lmcache_version", "release", "cache_state", "lookup_answered_by"),
        *("trace", "trace_speed", FLEET_HOST),
    )
)
"""Columns with one value in each phase of an attempt, as the fields of the adapter spec have."""
STATES = ("cache_state", "lookup_answered_by")
"""Columns of ``NEVER_POOLED`` that a run of which no round completed may lack."""
NEVER_POOLED = ("phase", "profile", *STATES, "trace", FLEET_HOST)
"""Columns that separate groups, whatever else groups them: a profiler disturbs, claimed is not cold, a lookup
that a dictionary in the client answers says nothing of the server, a second of a trace is no round, and the
hosts of a fleet are no repeats."""


@dataclass(frozen=True)
class Groups:
    """Groups of phase runs, in the order of their first runs.

    Attributes:
        of_run: For each phase run, the number of its group.
        columns: The columns that describe each group: those of its first run, and its states.
    """

    of_run: Integers
    columns: Mapping[str, Values]

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self.columns["phase"])


@dataclass(frozen=True)
class PhaseRuns:
    """The phases of the last attempt at each point, with their measured rounds.

    Attributes:
        rounds: The measured rounds.
        of_round: For each of them, the position of its phase run.
        columns: The columns that describe the phase runs. A value is None where there is none.
        is_split: Whether the runs are split by a column that differs between the rounds of a process.
    """

    rounds: RoundTable
    of_round: Integers
    columns: Mapping[str, Values]
    is_split: bool

    def __len__(self) -> int:
        """Return the number of phase runs."""
        return len(self.columns["phase"])

    @classmethod
    def of(cls, rounds: RoundTable, names: Iterable[str], points: Sequence[Row] = ()) -> PhaseRuns:
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
        measured = rounds.where(~rounds.values("is_warmup").astype(np.bool_))
        starts = _starts_of_equal_rows(measured, [*_RUN, *splitting, "cache_state"])
        of_starts = measured.at(starts)
        values = {name: of_starts.objects(name) for name in names}
        run_of_start = numbered(*(values[name] for name in (*_RUN, *splitting)))
        first = first_rows(run_of_start)
        columns = {name: column[first] for name, column in values.items()}
        if len(first) < len(starts):
            columns["cache_state"] = _states_of_runs(values["cache_state"], run_of_start, len(first))
        if not splitting:
            columns = _with_rows(columns, _without_rounds(columns, points))
        of_round = np.repeat(run_of_start, np.diff(starts, append=len(measured)))
        return cls(measured, of_round, columns, bool(splitting))._of_last_attempts(points)

    def _of_last_attempts(self, points: Sequence[Row]) -> PhaseRuns:
        every = _with_rows({name: self.columns[name] for name in ATTEMPT}, points)
        places = numbered(every["sweep_id"], every["point_index"])
        attempts = every["attempt"].astype(np.int64)
        last = np.zeros(places.max(initial=-1) + 1, dtype=np.int64)
        np.maximum.at(last, places, attempts)
        is_last = (attempts == last[places])[: len(self)]
        if is_last.all():
            return self
        of_last = is_last[self.of_round]
        renumbered = np.cumsum(is_last) - 1
        columns = {name: values[is_last] for name, values in self.columns.items()}
        of_round = renumbered[self.of_round[of_last]]
        return PhaseRuns(self.rounds.where(of_last), of_round, columns, self.is_split)

    def grouped(self, by: Sequence[str], is_timed: Flags) -> Groups:
        """Group the phase runs.

        A run of which no round completed may have no state of the page cache, and nothing that answered its
        lookups. It joins the repeats that have one, so that its failure is shown beside their numbers.

        Args:
            by: The columns that have the same value in a group.
            is_timed: Which runs have a round with a duration.
        """
        others = numbered(*(self.columns[name] for name in (*by, *NEVER_POOLED) if name not in STATES))
        states = {name: _with_states_of_repeats(self.columns[name], others, is_timed) for name in STATES}
        of_run = numbered(others, *states.values())
        first = first_rows(of_run)
        return Groups(
            of_run, {name: states.get(name, values)[first] for name, values in self.columns.items()}
        )


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


def _states_of_runs(states: Values, runs: Integers, count: int) -> Values:
    """Return the states of each run, joined if they differ."""
    found: list[set[str]] = [set() for _ in range(count)]
    for state, run in zip(states.tolist(), runs.tolist(), strict=True):
        if state is not None:
            found[run].add(state)
    return objects([joined_states(of_run) for of_run in found])


def _with_states_of_repeats(states: Values, others: Integers, is_timed: Flags) -> Values:
    """Return the state of each run; of a run that has none because no round completed, that of its repeats.

    Args:
        states: A state for each run; None if it has none.
        others: A number for each run, which is that of its repeats.
        is_timed: Which runs have a round with a duration.
    """
    is_lost = np.array([state is None for state in states], dtype=np.bool_) & ~is_timed
    if not is_lost.any():
        return states
    known: dict[int, set[str]] = defaultdict(set)
    for other, state in zip(others.tolist(), states.tolist(), strict=True):
        known[other] |= {state} - {None}
    found = states.copy()
    for run in np.flatnonzero(is_lost):
        if len(of_repeats := known[others[run]]) == 1:
            (found[run],) = of_repeats
    return found


def _without_rounds(columns: Mapping[str, Values], points: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the columns of each requested phase that has no measured round."""
    known = set(zip(*(columns[name].tolist() for name in _RUN), strict=True))
    found = []
    for point in points:
        for phase in requested_phases(point):
            key = (point["sweep_id"], point["point_index"], point["attempt"], phase)
            if key not in known:
                known.add(key)
                row = {name: value if is_known(value := point.get(name)) else None for name in columns}
                found.append({**row, "phase": phase, **dict.fromkeys(STATES)})
    return found


def _with_rows(columns: Mapping[str, Values], rows: Sequence[Row]) -> dict[str, Values]:
    """Return columns with the values of further rows behind them."""
    return {
        name: np.concatenate((values, objects([row[name] for row in rows])))
        for name, values in columns.items()
    }
