"""Compute statistics of measured rounds, with small pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from l2sweep.analysis.confirmation import what_load_found
from l2sweep.analysis.ended import Measured, phase_state, phase_status, process_of, requested_rounds
from l2sweep.analysis.rounds.auto_rounds import AutoRounds, auto_rounds
from l2sweep.analysis.rounds.phase_runs import joined_states
from l2sweep.analysis.rounds.sums import Sums
from l2sweep.analysis.rounds.table import RoundTable
from l2sweep.analysis.rounds.totals import Totals, throughput_range
from l2sweep.analysis.sample import Sample

Row = Mapping[str, Any]


@dataclass(frozen=True)
class PhaseSummary:
    """Statistics of the measured rounds of one phase. A number that cannot be computed is None.

    Attributes:
        phase: store, lookup or load.
        rounds: Number of measured rounds.
        timed_out_rounds: Number of measured rounds that did not complete in time.
        ok_rounds: Number of measured rounds in which all expected keys were moved or found.
        unconfirmed_rounds: Number of measured store rounds that their load proves wrong.
        load_found: What the load found in these rounds: ``wrong bytes`` or ``keys missing``; None if there
            are none.
        requested_rounds: Number of measured rounds that the point asked for; at most, where the phase did not
            come to its end.
        auto: Why the rounds ended; None if their number was fixed, or is not known.
        process_status: ``ok`` if the process ran the phase to its end, else the status of the process.
        keys_per_round: Keys requested in a round.
        total_keys: Keys requested in all rounds.
        total_ok: Keys moved or found in all rounds.
        durations_s: Durations of the rounds that have one; of a trace, the latencies of its submits.
        unfinished_rounds_s: For each round that timed out, its time limit. Its duration is at least that.
        mib_per_s: Moved bytes / duration, summed over the rounds that have a duration; None for lookups.
        mib_per_s_min: Throughput of the slowest round.
        mib_per_s_max: Throughput of the fastest round.
        mib_per_s_elapsed: Bytes moved in time / elapsed time, summed over all rounds, also those that timed
            out; None for lookups, and if the elapsed time of a round is unknown.
        durable_mib_per_s: Moved bytes of the ok rounds / (duration + flush) of all store rounds that were
            flushed. A round that is not ok may have data that are not on the device.
        flush_s: Mean duration of the flushes after store rounds.
        cache_state: cold, claimed, warm, bypassed or uncontrolled; joined by ``/`` if rounds differ.
        lookup_answered_by: What answered the lookups; None for other phases, and if it is unknown.
        keys_per_s: Answered keys / duration. A miss of a lookup is an answer.
        keys_per_s_elapsed: Keys answered in time / elapsed time, as ``mib_per_s_elapsed``.
        latency_per_key_s: Duration / answered keys.
        expected_hits: Lookups: requested keys that were stored.
        actual_hit_rate: Lookups: found keys / requested keys, over the rounds that have a duration; None if
            there is none.
        false_hits: Lookups: keys that were found but never stored; None if no round was checked.
        false_misses: Lookups: keys that were stored but not found; None if no round was checked.
        submit_latency_s: Latencies of the submits that completed in time.
        submit_unfinished_s: For each submit that did not complete in time, how long it was waited for. Its
            latency is at least that.
        verified_keys: Loaded keys of which every byte was checked.
        sampled_keys: Loaded keys of which a few words were checked; None if unknown.
        mismatched_keys: Checked or sampled keys with wrong bytes.
        evicted_keys: Keys that a load did not move because LMCache had evicted them, or a key before them.
        late_s: Of a trace, for each latency, how long after it was due the submit was made.
    """

    phase: str
    rounds: int
    timed_out_rounds: int
    ok_rounds: int
    unconfirmed_rounds: int
    load_found: str | None
    requested_rounds: int
    process_status: str
    keys_per_round: int
    total_keys: int
    total_ok: int
    durations_s: tuple[float, ...]
    unfinished_rounds_s: tuple[float, ...]
    mib_per_s: float | None
    mib_per_s_min: float | None
    mib_per_s_max: float | None
    mib_per_s_elapsed: float | None
    durable_mib_per_s: float | None
    flush_s: float | None
    cache_state: str | None
    keys_per_s: float | None
    keys_per_s_elapsed: float | None
    latency_per_key_s: float | None
    expected_hits: int
    actual_hit_rate: float | None
    false_hits: int | None
    false_misses: int | None
    submit_latency_s: tuple[float, ...]
    submit_unfinished_s: tuple[float, ...]
    verified_keys: int
    sampled_keys: int | None
    mismatched_keys: int
    evicted_keys: int = 0
    auto: AutoRounds | None = None
    lookup_answered_by: str | None = None
    late_s: tuple[float, ...] = ()

    @property
    def durations(self) -> Sample:
        """Durations of the rounds, in seconds; a round that timed out is unfinished."""
        return Sample(self.durations_s, self.unfinished_rounds_s)

    @property
    def submit_latencies(self) -> Sample:
        """Latencies of the submits, in seconds; a submit that did not complete in time is unfinished."""
        return Sample(self.submit_latency_s, self.submit_unfinished_s)

    @property
    def latencies_since_due(self) -> Sample:
        """Of a trace, the latencies from the moments at which the submits were due, in seconds."""
        summed = zip(self.submit_latency_s, self.late_s, strict=True) if self.late_s else ()
        return Sample(tuple(latency_s + late_s for latency_s, late_s in summed), self.submit_unfinished_s)

    @property
    def status(self) -> str:
        """``ok`` if all requested rounds were measured and are ok, else what is missing.

        See :func:`l2sweep.analysis.ended.phase_state`.
        """
        is_limit = self.auto is not None and self.auto.is_limited
        measured = Measured(self.rounds, self.ok_rounds, self.unconfirmed_rounds)
        return phase_state(
            measured, self.requested_rounds, self.process_status, self.load_found, is_limit=is_limit
        )


def summarise_point(
    phases: Sequence[str], rounds: Sequence[Row], points: Sequence[Row]
) -> list[PhaseSummary]:
    """Compute the statistics of each requested phase of one attempt at a point.

    A phase without measured rounds has a summary as well.

    Args:
        phases: The requested phases, in the order in which they run.
        rounds: Rows of the data set ``rounds``, all of the attempt.
        points: Rows of the data set ``points``, all of the attempt: one per process.
    """
    summaries = [summarise(phase, rounds) for phase in phases]
    measured = {one.phase: Measured(one.rounds, one.ok_rounds, one.unconfirmed_rounds) for one in summaries}
    return [
        replace(
            _with_own_process(one, rounds, points),
            process_status=phase_status(one.phase, phases, measured, points),
        )
        for one in summaries
    ]


def summarise(phase: str, rows: Iterable[Row]) -> PhaseSummary:
    """Compute the statistics of one phase from its measured rounds.

    The number of requested rounds and the end of the process are not known here, see :func:`summarise_point`.

    Args:
        phase: store, lookup or load.
        rows: Rows of the data set ``rounds``, all of one point, of any schema version. Warm-up rounds and
            rounds of other phases are ignored, except that loads tell what is wrong with unconfirmed stores.
    """
    rows = list(rows)
    measured = [row for row in rows if row["phase"] == phase and not row["is_warmup"]]
    table = RoundTable.of(measured)
    totals = Totals.of(Sums.of(table, np.zeros(len(measured), dtype=np.int64), 1)).of_group(0)
    slowest, fastest = throughput_range(table)
    return PhaseSummary(
        phase=phase,
        load_found=what_load_found(rows) if totals["unconfirmed_rounds"] else None,
        requested_rounds=len(measured),
        process_status="ok",
        keys_per_round=int(np.fmax.reduce(table.floats("keys_requested"), initial=0)),
        mib_per_s_min=slowest,
        mib_per_s_max=fastest,
        durations_s=tuple(value for row in measured for value in _durations_s(row)),
        unfinished_rounds_s=tuple(_unfinished_rounds_s(measured)),
        cache_state=_state(measured, "cache_state"),
        lookup_answered_by=_state(measured, "lookup_answered_by"),
        submit_latency_s=tuple(value for row in measured for value in _values(row, "submit_latency_s")),
        submit_unfinished_s=tuple(value for row in measured for value in _values(row, "submit_unfinished_s")),
        late_s=tuple(value for row in measured for value in _values(row, "late_s")),
        **totals,
    )


def _with_own_process(summary: PhaseSummary, rounds: Sequence[Row], points: Sequence[Row]) -> PhaseSummary:
    """Return a summary with what the process of the phase tells of the number of its rounds."""
    if not points:
        return summary
    own = process_of(summary.phase, points) or points[0]
    warmup_rounds = sum(row["phase"] == summary.phase and row["is_warmup"] for row in rounds)
    return replace(
        summary,
        requested_rounds=requested_rounds(summary.phase, own, summary.rounds),
        auto=auto_rounds(summary.phase, own, summary.rounds, warmup_rounds),
    )


def _state(rows: Iterable[Row], name: str) -> str | None:
    """Return the values that the rows have, joined if they differ; None if there is none."""
    return joined_states(row[name] for row in rows if _value(row, name))


def _value(row: Row, name: str) -> Any:
    """Return a value; None if it is None or NaN, or if the row has no such column."""
    value = row.get(name)
    return None if value is None or value != value else value  # only NaN and NaT differ from themselves


def _values(row: Row, name: str) -> Sequence[float]:
    """Return a list, which pandas reads as an array; empty if it is missing."""
    values = row.get(name)
    return () if values is None or isinstance(values, float) else values


def _unfinished_rounds_s(rows: Iterable[Row]) -> list[float]:
    """Return the time limits of the rounds that timed out, as far as they are known."""
    rows = list(rows)
    limits = [_value(row, "elapsed_s") for row in rows if row["status"] == "timeout" and not _is_second(row)]
    waits = [waited_s for row in rows if _is_second(row) for waited_s in _values(row, "submit_unfinished_s")]
    return [limit_s for limit_s in limits if limit_s is not None] + waits


def _durations_s(row: Row) -> Sequence[float]:
    """Return the duration of a round, if it has one; the latencies of the submits of a second of a trace."""
    if _is_second(row):
        return _values(row, "submit_latency_s")
    duration_s = _value(row, "duration_s")
    return () if duration_s is None else (duration_s,)


def _is_second(row: Row) -> bool:
    return _value(row, "second") is not None
