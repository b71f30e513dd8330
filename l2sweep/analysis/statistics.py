"""Statistics of measured rounds: small pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MIB = 1024 * 1024


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return a percentile by the nearest-rank method, or None when the sample is too small for it.

    The sample is too small when the rank is that of the maximum: p99 of 5 rounds says nothing that the
    maximum does not say. Nearest rank: Hyndman and Fan, "Sample Quantiles in Statistical Packages", The
    American Statistician 50 (1996), definition 1; upstream's ``_percentile`` takes the same rank.

    Args:
        values: The sample, in any order.
        percent: Above 0, below 100.
    """
    rank = math.ceil(round(percent * len(values) / 100, 9))  # 7 % of 100 is rank 7, not 7.0000000000000001
    return sorted(values)[rank - 1] if 0 < rank < len(values) else None


def standard_deviation(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation (n - 1), or None for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class OperationSummary:
    """An operation's measured rounds in numbers; None where there is nothing to base a number on.

    Attributes:
        operation: store, lookup or load.
        rounds: Measured rounds.
        timed_out_rounds: Of them, those that did not complete in time.
        ok_rounds: Of them, those that did all that was expected.
        keys_per_round: Keys requested in a round.
        total_keys: Keys requested in all.
        total_ok: Keys that were moved or found.
        durations_s: Of the rounds that have one.
        mib_per_s: All bytes that moved over all time of the rounds that have a duration.
        mib_per_s_min: Of the slowest round.
        mib_per_s_max: Of the fastest round.
        durable_mib_per_s: Stores that were flushed: the same bytes over the time of rounds and flushes.
        flush_s: Stores that were flushed: the mean of the flushes.
        cache_state: What the page cache was: cold, warm, bypassed, uncontrolled; several where rounds differ.
        ops_per_s: Keys answered over the same time; a lookup's misses are answers, too.
        latency_per_key_s: The inverse.
        expected_hits: Lookups: keys that were stored.
        actual_hit_rate: Lookups: keys found over keys asked for.
        submit_latency_s: Of each submit that completed in time.
        verified_keys: Loaded keys whose every byte was checked.
        mismatched_keys: Of them, those that differ.
    """

    operation: str
    rounds: int
    timed_out_rounds: int
    ok_rounds: int
    keys_per_round: int
    total_keys: int
    total_ok: int
    durations_s: tuple[float, ...]
    mib_per_s: float | None
    mib_per_s_min: float | None
    mib_per_s_max: float | None
    durable_mib_per_s: float | None
    flush_s: float | None
    cache_state: str | None
    ops_per_s: float | None
    latency_per_key_s: float | None
    expected_hits: int
    actual_hit_rate: float | None
    submit_latency_s: tuple[float, ...]
    verified_keys: int
    mismatched_keys: int

    @property
    def status(self) -> str:
        """``ok`` when every round was; else how many were not."""
        failed = self.rounds - self.ok_rounds
        return "ok" if not failed else f"{failed} of {self.rounds} rounds not ok"


def summarise(operation: str, rows: Iterable[Mapping[str, Any]]) -> OperationSummary:
    """Summarise an operation's measured rounds.

    Args:
        operation: store, lookup or load.
        rows: Rows of the data set ``rounds``, of one point; those of other operations and warm-up rounds
            are left out.
    """
    measured = [row for row in rows if row["phase"] == operation and not row["is_warmup"]]
    timed = [row for row in measured if row["duration_s"] is not None]
    durations = [row["duration_s"] for row in timed]
    total_s = sum(durations)
    is_lookup = operation == "lookup"
    answered = sum(_answered_keys(row) for row in timed)
    rates = [] if is_lookup else [row["bytes_ok"] / _MIB / row["duration_s"] for row in timed]
    flushes = [row["flush_s"] for row in timed if row["flush_s"] is not None]
    total_keys = sum(row["keys_requested"] for row in measured)
    total_ok = sum(row["keys_ok"] for row in measured)
    return OperationSummary(
        operation=operation,
        rounds=len(measured),
        timed_out_rounds=sum(row["status"] == "timeout" for row in measured),
        ok_rounds=sum(row["status"] == "ok" for row in measured),
        keys_per_round=max((row["keys_requested"] for row in measured), default=0),
        total_keys=total_keys,
        total_ok=total_ok,
        durations_s=tuple(durations),
        mib_per_s=sum(row["bytes_ok"] for row in timed) / _MIB / total_s if rates else None,
        mib_per_s_min=min(rates, default=None),
        mib_per_s_max=max(rates, default=None),
        durable_mib_per_s=_durable_mib_per_s(timed),
        flush_s=statistics.mean(flushes) if flushes else None,
        cache_state="/".join(sorted({row["cache_state"] for row in measured if row["cache_state"]})) or None,
        ops_per_s=answered / total_s if timed else None,
        latency_per_key_s=total_s / answered if answered else None,
        expected_hits=sum(row["keys_expected"] for row in measured) if is_lookup else 0,
        actual_hit_rate=total_ok / total_keys if is_lookup and total_keys else None,
        submit_latency_s=tuple(value for row in measured for value in row["submit_latency_s"]),
        verified_keys=sum(row["verified_keys"] for row in measured),
        mismatched_keys=sum(row["mismatched_keys"] for row in measured),
    )


def _durable_mib_per_s(rows: Sequence[Mapping[str, Any]]) -> float | None:
    flushed = [row for row in rows if row["flush_s"] is not None]
    seconds = sum(row["duration_s"] + row["flush_s"] for row in flushed)
    return sum(row["bytes_ok"] for row in flushed) / _MIB / seconds if flushed else None


def _answered_keys(row: Mapping[str, Any]) -> int:
    """Return the keys that a round brought an answer for: a lookup's misses are answers, too."""
    if row["phase"] != "lookup":
        return int(row["keys_ok"])
    return int(row["keys_requested"]) if row["status"] in ("ok", "partial") else 0
