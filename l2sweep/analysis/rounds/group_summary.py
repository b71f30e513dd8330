"""Summarise groups of phase runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from l2sweep.analysis.confirmation import what_load_found
from l2sweep.analysis.ended import (
    Measured,
    is_auto,
    known,
    phase_state,
    phase_status,
    process_of,
    requested_phases,
    requested_rounds,
    states_of_repeats,
)
from l2sweep.analysis.rounds.auto_rounds import AutoRounds, auto_rounds, ends_of_repeats
from l2sweep.analysis.rounds.median_interval import median_intervals
from l2sweep.analysis.rounds.phase_runs import NEVER_POOLED, STATES, PhaseRuns
from l2sweep.analysis.rounds.samples import Bounds, Samples
from l2sweep.analysis.rounds.source import Floats, Integers, Values
from l2sweep.analysis.rounds.table import RoundTable
from l2sweep.analysis.rounds.totals import Totals, durations, submit_latencies

Row = Mapping[str, Any]
Attempts = dict[tuple[Any, ...], list[Row]]

_TOTALS = (
    *("mib_per_s", "mib_per_s_elapsed", "durable_mib_per_s", "keys_per_s", "keys_per_s_elapsed"),
    *("actual_hit_rate", "false_hits", "false_misses"),
)
_PERCENTS = (50, 95, 99)


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
    shown = list(dict.fromkeys((*by, *described, *NEVER_POOLED)))
    runs = PhaseRuns.of(rounds, shown, points)
    count = len(runs.described)
    per_run = Totals.of(runs.rounds, runs.run_of_round, count)
    medians = durations(runs.rounds, runs.run_of_round, count).median()
    is_timed = np.bincount(runs.run_of_round[runs.rounds.known("duration_s")], minlength=count) > 0
    group_of_run, runs_of_group = runs.grouped(by, is_timed)
    attempts = _processes_by_attempt(runs, points)
    statuses = _statuses(runs, per_run, attempts)
    ends = _ends(runs, per_run, attempts, _warmup_rounds(rounds, points))
    columns: dict[str, Any] = {}
    for name in shown:
        columns[name] = [_shown(runs.described, of_group, name) for of_group in runs_of_group]
    numbers = _Numbers()
    is_ok = np.array([status == "ok" for status in statuses], dtype=np.bool_)
    groups = len(runs_of_group)
    group_of_round = group_of_run[runs.run_of_round]
    totals = Totals.of(runs.rounds, group_of_round, groups)
    has_median = ~np.isnan(medians.values)
    numbers.add("processes", np.bincount(group_of_run, minlength=groups))
    numbers.add("measured_processes", np.bincount(group_of_run[has_median], minlength=groups))
    numbers.add("failed_processes", np.bincount(group_of_run[~is_ok], minlength=groups))
    numbers.add("rounds", totals.rounds)
    numbers.add("ok_rounds", totals.ok_rounds)
    numbers.add("timed_out_rounds", totals.timed_out_rounds)
    numbers.add("failed_rounds", totals.rounds - totals.ok_rounds)
    of_processes = Samples.of(
        medians.values[has_median], medians.is_lower[has_median], group_of_run[has_median], groups
    )
    low, high = median_intervals(of_processes)
    numbers.add_bounds("median_s", of_processes.median())
    numbers.add_bounds("median_low_s", low)
    numbers.add_bounds("median_high_s", high)
    numbers.add_bounds("median_min_s", of_processes.minimum())
    numbers.add_bounds("median_max_s", of_processes.maximum())
    all_durations = durations(runs.rounds, group_of_round, groups)
    latencies = submit_latencies(runs.rounds, group_of_round, groups)
    for percent in _PERCENTS:
        numbers.add_bounds(f"p{percent}_s", all_durations.percentile(percent))
    for percent in _PERCENTS:
        numbers.add_bounds(f"submit_p{percent}_s", latencies.percentile(percent))
    for name in _TOTALS:
        numbers.add(name, getattr(totals, name))
    for name in ("mismatched_keys", "evicted_keys"):
        numbers.add(name, getattr(totals, name).astype(np.int64))
    for name in ("mib_per_s", "keys_per_s"):
        rates = getattr(per_run, name)
        numbers.add(f"{name}_min", _extreme(np.fmin, rates, group_of_run, groups))
        numbers.add(f"{name}_max", _extreme(np.fmax, rates, group_of_run, groups))
    columns.update(numbers.columns)
    columns["rounds_ended"] = [ends_of_repeats([ends[run] for run in of_group]) for of_group in runs_of_group]
    columns["status"] = [states_of_repeats([statuses[run] for run in of_group]) for of_group in runs_of_group]
    columns["lower_bounds"] = numbers.lower_bounds(groups)
    return columns


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


def _shown(described: Sequence[Row], runs: Sequence[int], name: str) -> Any:
    """Return the first value of a column in the runs of a group."""
    if name not in STATES:
        return described[runs[0]][name]
    return next((described[run][name] for run in runs if described[run][name] is not None), None)


def _extreme(choose: np.ufunc, values: Floats, groups: Integers, count: int) -> Floats:
    result = np.full(count, np.nan)
    choose.at(result, groups, values)  # NaN gives way to every number
    return result


def _processes_by_attempt(runs: PhaseRuns, points: Iterable[Row]) -> Attempts:
    """Return the rows of ``points`` of each attempt; none if the runs are parts of attempts."""
    processes: Attempts = defaultdict(list)
    if not runs.is_split:
        for row in points:
            processes[_attempt(row)].append(row)
    return processes


def _statuses(runs: PhaseRuns, totals: Totals, processes: Attempts) -> list[str]:
    """Return the state of each phase run. Without rows of ``points``, that of its measured rounds."""
    counts = zip(
        totals.rounds.tolist(), totals.ok_rounds.tolist(), totals.unconfirmed_rounds.tolist(), strict=True
    )
    measured = [Measured(*of_run) for of_run in counts]
    by_attempt: dict[tuple[Any, ...], dict[str, Measured]] = defaultdict(dict)
    for row, of_run in zip(runs.described, measured, strict=True):
        by_attempt[_attempt(row)][row["phase"]] = of_run
    statuses = []
    for run, (row, of_run) in enumerate(zip(runs.described, measured, strict=True)):
        attempt = _attempt(row)
        own = processes.get(attempt, [])
        status = "ok"
        if any(process["status"] != "ok" for process in own):
            status = phase_status(row["phase"], requested_phases(own[0]), by_attempt[attempt], own)
        requested, is_limit = of_run.rounds, False
        if own:
            process = process_of(row["phase"], own) or own[0]
            requested, is_limit = requested_rounds(row["phase"], process, of_run.rounds), is_auto(process)
        load_found = _load_found(runs, run) if of_run.unconfirmed_rounds else None
        statuses.append(phase_state(of_run, requested, status, load_found, is_limit=is_limit))
    return statuses


def _ends(
    runs: PhaseRuns, totals: Totals, processes: Attempts, warmup_rounds: Mapping[tuple[Any, ...], int]
) -> list[AutoRounds | None]:
    """Return for each phase run why its rounds ended; None if their number was fixed, or is not known."""
    ends = []
    for row, rounds in zip(runs.described, totals.rounds.tolist(), strict=True):
        process = process_of(row["phase"], processes.get(_attempt(row), ()))
        warmups = warmup_rounds.get((*_attempt(row), row["phase"]), 0)
        ends.append(None if process is None else auto_rounds(row["phase"], process, rounds, warmups))
    return ends


def _warmup_rounds(rounds: RoundTable, points: Iterable[Row]) -> Counter[tuple[Any, ...]]:
    """Return the number of warm-up rounds of each phase of an attempt, if it was not fixed everywhere."""
    if not any(known(row.get("warmup_auto")) for row in points):
        return Counter()
    warmups = rounds.where(rounds.values("is_warmup").astype(np.bool_))
    names = ("sweep_id", "point_index", "attempt", "phase")
    return Counter(zip(*(warmups.values(name).tolist() for name in names), strict=True))


def _attempt(row: Row) -> tuple[Any, ...]:
    return row["sweep_id"], row["point_index"], row["attempt"]


def _load_found(runs: PhaseRuns, run: int) -> str | None:
    """Return what the load found in the unconfirmed rounds of a store; None if its rounds are not there."""
    attempt = _attempt(runs.described[run])
    own = [position for position, row in enumerate(runs.described) if _attempt(row) == attempt]
    rounds = runs.rounds.where(np.isin(runs.run_of_round, own))
    if not rounds.equal("phase", "load").any():
        return None
    names = ("phase", "round", "status", "is_warmup", "mismatched_keys")
    columns = [rounds.values(name).tolist() for name in names]
    return what_load_found([dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)])
