"""Compute statistics of measured rounds, with small pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from l2sweep.analysis.confirmation import UNCONFIRMED, what_load_found
from l2sweep.analysis.ended import AutoRounds, auto_rounds, phase_status, requested_rounds
from l2sweep.analysis.sample import Sample

_MIB = 1024 * 1024

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
        durations_s: Durations of the rounds that have one.
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
    auto: AutoRounds | None = None

    @property
    def durations(self) -> Sample:
        """Durations of the rounds, in seconds; a round that timed out is unfinished."""
        return Sample(self.durations_s, self.unfinished_rounds_s)

    @property
    def submit_latencies(self) -> Sample:
        """Latencies of the submits, in seconds; a submit that did not complete in time is unfinished."""
        return Sample(self.submit_latency_s, self.submit_unfinished_s)

    @property
    def status(self) -> str:
        """``ok`` if all requested rounds were measured and are ok, else what is missing.

        Examples: ``1 of 4 rounds, crashed``; ``2 of 4 rounds not ok``; ``3 of 4 rounds, crashed, 1 not ok``;
        ``4 of 4 rounds not confirmed: the load found wrong bytes``.
        """
        counts = {
            "not ok": self.rounds - self.ok_rounds - self.unconfirmed_rounds,
            f"not confirmed: the load found {self.load_found}": self.unconfirmed_rounds,
        }
        bad = {text: count for text, count in counts.items() if count}
        process_status = self.process_status
        is_complete = self.rounds >= self.requested_rounds
        if is_complete and (process_status == "ok" or (process_status == "failed" and bad)):
            return ", ".join(f"{count} of {self.rounds} rounds {text}" for text, count in bad.items()) or "ok"
        is_limit = self.auto is not None and self.auto.is_limited and not is_complete
        parts = [f"{self.rounds} of {'at most ' if is_limit else ''}{self.requested_rounds} rounds"]
        if process_status != "ok":
            parts.append(process_status)
        return ", ".join([*parts, *(f"{count} {text}" for text, count in bad.items())])


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
    summaries = []
    for summary in (summarise(phase, rounds) for phase in phases):
        own = next(
            (row for row in points if row["phase"] in (summary.phase, "all")), points[0] if points else None
        )
        requested = requested_rounds(summary.phase, own, summary.rounds) if own else summary.rounds
        status = phase_status(summary.phase, phases, rounds, points)
        auto = auto_rounds(summary.phase, rounds, own) if own else None
        summaries.append(replace(summary, requested_rounds=requested, process_status=status, auto=auto))
    return summaries


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
    unconfirmed_rounds = sum(row["status"] == UNCONFIRMED for row in measured)
    timed = [row for row in measured if _value(row, "duration_s") is not None]
    durations = [row["duration_s"] for row in timed]
    total_s = sum(durations)
    is_lookup = phase == "lookup"
    answered = sum(_answered_keys(row) for row in timed)
    rates = [] if is_lookup else [row["bytes_ok"] / _MIB / row["duration_s"] for row in timed]
    flushes = [row["flush_s"] for row in timed if _value(row, "flush_s") is not None]
    elapsed_s = _elapsed_s(measured)
    looked_up = sum(row["keys_requested"] for row in timed)
    return PhaseSummary(
        phase=phase,
        rounds=len(measured),
        timed_out_rounds=sum(row["status"] == "timeout" for row in measured),
        ok_rounds=sum(row["status"] == "ok" for row in measured),
        unconfirmed_rounds=unconfirmed_rounds,
        load_found=what_load_found(rows) if unconfirmed_rounds else None,
        requested_rounds=len(measured),
        process_status="ok",
        keys_per_round=max((row["keys_requested"] for row in measured), default=0),
        total_keys=sum(row["keys_requested"] for row in measured),
        total_ok=sum(row["keys_ok"] for row in measured),
        durations_s=tuple(durations),
        unfinished_rounds_s=tuple(_unfinished_rounds_s(measured)),
        mib_per_s=sum(row["bytes_ok"] for row in timed) / _MIB / total_s if rates else None,
        mib_per_s_min=min(rates, default=None),
        mib_per_s_max=max(rates, default=None),
        mib_per_s_elapsed=sum(row["bytes_ok"] for row in measured) / _MIB / elapsed_s
        if elapsed_s and not is_lookup
        else None,
        durable_mib_per_s=_durable_mib_per_s(timed),
        flush_s=statistics.mean(flushes) if flushes else None,
        cache_state="/".join(sorted({row["cache_state"] for row in measured if _value(row, "cache_state")}))
        or None,
        keys_per_s=answered / total_s if timed else None,
        keys_per_s_elapsed=sum(map(_answered_keys, measured)) / elapsed_s if elapsed_s else None,
        latency_per_key_s=total_s / answered if answered else None,
        expected_hits=sum(row["keys_expected"] for row in measured) if is_lookup else 0,
        actual_hit_rate=sum(row["keys_ok"] for row in timed) / looked_up if is_lookup and looked_up else None,
        false_hits=_sum_of_known(measured, "false_hits"),
        false_misses=_sum_of_known(measured, "false_misses"),
        submit_latency_s=tuple(value for row in measured for value in _values(row, "submit_latency_s")),
        submit_unfinished_s=tuple(value for row in measured for value in _values(row, "submit_unfinished_s")),
        verified_keys=sum(row["verified_keys"] for row in measured),
        sampled_keys=_sum_of_known(measured, "sampled_keys"),
        mismatched_keys=sum(row["mismatched_keys"] for row in measured),
    )


def _value(row: Row, name: str) -> Any:
    """Return a value; None if it is None or NaN, or if the row has no such column."""
    value = row.get(name)
    return None if value is None or value != value else value  # only NaN and NaT differ from themselves


def _values(row: Row, name: str) -> Sequence[float]:
    """Return a list, which pandas reads as an array; empty if it is missing."""
    values = row.get(name)
    return () if values is None or isinstance(values, float) else values


def _sum_of_known(rows: Iterable[Row], name: str) -> int | None:
    known = [int(row[name]) for row in rows if _value(row, name) is not None]
    return sum(known) if known else None


def _elapsed_s(rows: Iterable[Row]) -> float | None:
    """Return the time that all rounds took, also those that timed out; None if that of a round is unknown."""
    total_s = 0.0
    for row in rows:
        elapsed_s = _value(row, "duration_s")
        if elapsed_s is None:
            elapsed_s = _value(row, "elapsed_s")
        if elapsed_s is None:
            if _value(row, "started_at") is not None:
                return None  # written before schema version 4
            elapsed_s = 0.0  # the round was not run
        total_s += elapsed_s
    return total_s


def _unfinished_rounds_s(rows: Iterable[Row]) -> list[float]:
    """Return the time limits of the rounds that timed out, as far as they are known."""
    limits = [_value(row, "elapsed_s") for row in rows if row["status"] == "timeout"]
    return [limit_s for limit_s in limits if limit_s is not None]


def _durable_mib_per_s(rows: Sequence[Row]) -> float | None:
    flushed = [row for row in rows if _value(row, "flush_s") is not None]
    seconds = sum(row["duration_s"] + row["flush_s"] for row in flushed)
    durable_bytes = sum(row["bytes_ok"] for row in flushed if row["status"] == "ok")
    return durable_bytes / _MIB / seconds if flushed else None


def _answered_keys(row: Row) -> int:
    """Return the number of keys that a round answered. A miss of a lookup is an answer."""
    if row["phase"] != "lookup":
        return int(row["keys_ok"])
    return int(row["keys_requested"]) if row["status"] in ("ok", "partial") else 0
