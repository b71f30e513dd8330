"""Summarise groups of phase runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from l2sweep.analysis.ended import states_of_repeats
from l2sweep.analysis.rounds.auto_rounds import ends_of_repeats
from l2sweep.analysis.rounds.median_interval import median_intervals
from l2sweep.analysis.rounds.numbering import rows_by_number
from l2sweep.analysis.rounds.phase_runs import NEVER_POOLED, Groups, PhaseRuns
from l2sweep.analysis.rounds.run_ends import RunEnds
from l2sweep.analysis.rounds.samples import Bounds, Samples
from l2sweep.analysis.rounds.source import Flags, Floats, Integers, Values
from l2sweep.analysis.rounds.sums import Sums
from l2sweep.analysis.rounds.table import RoundTable
from l2sweep.analysis.rounds.totals import Totals, durations, submit_latencies

Row = Mapping[str, Any]

_TOTALS = (
    *("mib_per_s", "mib_per_s_elapsed", "durable_mib_per_s", "keys_per_s", "keys_per_s_elapsed"),
    *("actual_hit_rate", "false_hits", "false_misses"),
)
_PERCENTS = (50, 95, 99)


@dataclass(frozen=True)
class GroupedRuns:
    """Phase runs in groups.

    Attributes:
        runs: The phase runs, with their measured rounds.
        shown: The columns of a summary that describe a group.
        medians: The median duration of each run.
        groups: The groups.
    """

    runs: PhaseRuns
    shown: Sequence[str]
    medians: Bounds
    groups: Groups

    @classmethod
    def of(
        cls, rounds: RoundTable, by: Sequence[str], described: Sequence[str] = (), points: Sequence[Row] = ()
    ) -> GroupedRuns:
        """Group phase runs, as :func:`summarise_groups` does.

        Args:
            rounds: As in :func:`summarise_groups`, as all arguments.
        """
        shown = list(dict.fromkeys((*by, *described, *NEVER_POOLED)))
        runs = PhaseRuns.of(rounds, shown, points)
        is_timed = np.bincount(runs.of_round[runs.rounds.known("duration_s")], minlength=len(runs)) > 0
        medians = durations(runs.rounds, runs.of_round, len(runs)).median()
        return cls(runs, shown, medians, runs.grouped(by, is_timed))

    @property
    def group_of_round(self) -> Integers:
        """For each measured round, the number of its group."""
        return self.groups.of_run[self.runs.of_round]


def summarise_groups(
    rounds: RoundTable, by: Sequence[str], described: Sequence[str] = (), points: Iterable[Row] = ()
) -> dict[str, Any]:
    """Summarise groups of phase runs. :func:`l2sweep.analysis.summary.summarize` explains the columns.

    Args:
        rounds: Rows of the data set ``rounds``, in the order in which they were run.
        by: Columns that have the same value in a group, besides those that are never pooled.
        described: More columns of the result. They follow from ``by``: the value of the first run is taken.
        points: Rows of the data set ``points``.

    Returns:
        The columns: those in ``by``, ``described`` and ``NEVER_POOLED``, then the numbers.
    """
    points = list(points)
    return summarise_runs(GroupedRuns.of(rounds, by, described, points), rounds, points)


def summarise_runs(grouped: GroupedRuns, rounds: RoundTable, points: Sequence[Row]) -> dict[str, Any]:
    """Summarise phase runs that are in groups.

    Args:
        grouped: The runs.
        rounds: The rows from which they were made.
        points: Rows of the data set ``points``.

    Returns:
        As :func:`summarise_groups`.
    """
    runs, medians, groups = grouped.runs, grouped.medians, grouped.groups
    sums = Sums.of(runs.rounds, runs.of_round, len(runs))
    run_ends = RunEnds.of(runs, sums, points)
    statuses, ends = run_ends.statuses(), run_ends.ends(rounds)
    totals = Totals.of(sums.pooled(groups.of_run, len(groups)))
    numbers = _Numbers()
    _add_processes(numbers, groups, ~np.isnan(medians.values), [status == "ok" for status in statuses])
    numbers.add("rounds", totals.rounds)
    numbers.add("ok_rounds", totals.ok_rounds)
    numbers.add("timed_out_rounds", totals.timed_out_rounds)
    numbers.add("failed_rounds", totals.rounds - totals.ok_rounds)
    _add_medians(numbers, groups, medians)
    group_of_round = grouped.group_of_round
    _add_percentiles(numbers, "p", durations(runs.rounds, group_of_round, len(groups)))
    _add_percentiles(numbers, "submit_p", submit_latencies(runs.rounds, group_of_round, len(groups)))
    for name in _TOTALS:
        numbers.add(name, getattr(totals, name))
    for name in ("mismatched_keys", "evicted_keys"):
        numbers.add(name, getattr(totals, name).astype(np.int64))
    _add_ranges(numbers, groups, Totals.of(sums))
    runs_of_group = rows_by_number(groups.of_run, len(groups))
    return {
        **{name: groups.columns[name].tolist() for name in grouped.shown},
        **numbers.columns,
        "rounds_ended": [ends_of_repeats([ends[run] for run in of_group]) for of_group in runs_of_group],
        "status": [states_of_repeats([statuses[run] for run in of_group]) for of_group in runs_of_group],
        "lower_bounds": numbers.lower_bounds(len(groups)),
    }


class _Numbers:
    """Columns of numbers, and which of them are only lower bounds."""

    def __init__(self) -> None:
        self.columns: dict[str, Values] = {}
        self._lower: dict[str, Values] = {}

    def add(self, name: str, values: Values) -> None:
        self.columns[name] = values

    def add_bounds(self, name: str, bounds: Bounds) -> None:
        self.columns[name] = bounds.values
        if bounds.is_lower.any():
            self._lower[name] = bounds.is_lower

    def lower_bounds(self, count: int) -> list[str]:
        names: list[list[str]] = [[] for _ in range(count)]
        for name, is_lower in self._lower.items():
            for group in np.flatnonzero(is_lower):
                names[group].append(name)
        return [" ".join(of_group) for of_group in names]


def _add_processes(numbers: _Numbers, groups: Groups, has_median: Flags, is_ok: Sequence[bool]) -> None:
    failed = ~np.array(is_ok, dtype=np.bool_)
    numbers.add("processes", np.bincount(groups.of_run, minlength=len(groups)))
    numbers.add("measured_processes", np.bincount(groups.of_run[has_median], minlength=len(groups)))
    numbers.add("failed_processes", np.bincount(groups.of_run[failed], minlength=len(groups)))


def _add_medians(numbers: _Numbers, groups: Groups, medians: Bounds) -> None:
    """Add the median of the medians of the processes, its interval, and their range."""
    exists = ~np.isnan(medians.values)
    of_processes = Samples.of(
        medians.values[exists], medians.is_lower[exists], groups.of_run[exists], len(groups)
    )
    low, high = median_intervals(of_processes)
    numbers.add_bounds("median_s", of_processes.median())
    numbers.add_bounds("median_low_s", low)
    numbers.add_bounds("median_high_s", high)
    numbers.add_bounds("median_min_s", of_processes.minimum())
    numbers.add_bounds("median_max_s", of_processes.maximum())


def _add_percentiles(numbers: _Numbers, name: str, samples: Samples) -> None:
    for percent in _PERCENTS:
        numbers.add_bounds(f"{name}{percent}_s", samples.percentile(percent))


def _add_ranges(numbers: _Numbers, groups: Groups, of_runs: Totals) -> None:
    """Add the throughputs of the slowest and of the fastest process."""
    for name in ("mib_per_s", "keys_per_s"):
        rates = getattr(of_runs, name)
        numbers.add(f"{name}_min", _extreme(np.fmin, rates, groups.of_run, len(groups)))
        numbers.add(f"{name}_max", _extreme(np.fmax, rates, groups.of_run, len(groups)))


def _extreme(choose: np.ufunc, values: Floats, groups: Integers, count: int) -> Floats:
    result = np.full(count, np.nan)
    choose.at(result, groups, values)  # NaN gives way to every number
    return result
