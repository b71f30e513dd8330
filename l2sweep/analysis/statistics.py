"""Compute statistics of measured rounds, with small pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_MIB = 1024 * 1024


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Compute a percentile by the nearest-rank method.

    Nearest rank is definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American
    Statistician 50 (1996). ``_percentile`` of ``lmcache bench l2`` takes the same rank.

    Args:
        values: The sample, in any order.
        percent: Above 0, below 100.

    Returns:
        The percentile. None if the sample is so small that its rank is that of the maximum: p99 of 5 rounds
        would only repeat the maximum.
    """
    # 16.1 * 1000 / 100 is 161.00000000000003: without rounding, the rank would be 162.
    rank = math.ceil(round(percent * len(values) / 100, 9))
    return sorted(values)[rank - 1] if 0 < rank < len(values) else None


def standard_deviation(values: Sequence[float]) -> float | None:
    """Compute the standard deviation of a sample (divisor n - 1); None for fewer than two values."""
    return statistics.stdev(values) if len(values) > 1 else None


@dataclass(frozen=True)
class PhaseSummary:
    """Statistics of the measured rounds of one phase. A number that cannot be computed is None.

    Attributes:
        phase: store, lookup or load.
        rounds: Number of measured rounds.
        timed_out_rounds: Number of measured rounds that did not complete in time.
        ok_rounds: Number of measured rounds in which all expected keys were moved or found.
        keys_per_round: Keys requested in a round.
        total_keys: Keys requested in all rounds.
        total_ok: Keys moved or found in all rounds.
        durations_s: Durations of the rounds that have one.
        mib_per_s: Moved bytes / duration, summed over the rounds that have a duration; None for lookups.
        mib_per_s_min: Throughput of the slowest round.
        mib_per_s_max: Throughput of the fastest round.
        durable_mib_per_s: Moved bytes / (duration + flush), over the store rounds that were flushed.
        flush_s: Mean duration of the flushes after store rounds.
        cache_state: cold, warm, bypassed or uncontrolled; joined by ``/`` if rounds differ.
        keys_per_s: Answered keys / duration. A miss of a lookup is an answer.
        latency_per_key_s: Duration / answered keys.
        expected_hits: Lookups: requested keys that were stored.
        actual_hit_rate: Lookups: found keys / requested keys; None if no lookup round completed.
        submit_latency_s: Latencies of the submits that completed in time.
        verified_keys: Loaded keys of which every byte was checked.
        mismatched_keys: Checked keys with wrong bytes.
    """

    phase: str
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
    keys_per_s: float | None
    latency_per_key_s: float | None
    expected_hits: int
    actual_hit_rate: float | None
    submit_latency_s: tuple[float, ...]
    verified_keys: int
    mismatched_keys: int

    @property
    def status(self) -> str:
        """``ok`` if all rounds are ok, else the number of rounds that are not."""
        failed = self.rounds - self.ok_rounds
        return "ok" if not failed else f"{failed} of {self.rounds} rounds not ok"


def summarise(phase: str, rows: Iterable[Mapping[str, Any]]) -> PhaseSummary:
    """Compute the statistics of one phase from its measured rounds.

    Args:
        phase: store, lookup or load.
        rows: Rows of the data set ``rounds``, all of one point. Warm-up rounds and rounds of other phases are
            ignored.
    """
    measured = [row for row in rows if row["phase"] == phase and not row["is_warmup"]]
    timed = [row for row in measured if row["duration_s"] is not None]
    durations = [row["duration_s"] for row in timed]
    total_s = sum(durations)
    is_lookup = phase == "lookup"
    answered = sum(_answered_keys(row) for row in timed)
    rates = [] if is_lookup else [row["bytes_ok"] / _MIB / row["duration_s"] for row in timed]
    flushes = [row["flush_s"] for row in timed if row["flush_s"] is not None]
    total_keys = sum(row["keys_requested"] for row in measured)
    total_ok = sum(row["keys_ok"] for row in measured)
    return PhaseSummary(
        phase=phase,
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
        keys_per_s=answered / total_s if timed else None,
        latency_per_key_s=total_s / answered if answered else None,
        expected_hits=sum(row["keys_expected"] for row in measured) if is_lookup else 0,
        actual_hit_rate=total_ok / total_keys if is_lookup and timed else None,
        submit_latency_s=tuple(value for row in measured for value in row["submit_latency_s"]),
        verified_keys=sum(row["verified_keys"] for row in measured),
        mismatched_keys=sum(row["mismatched_keys"] for row in measured),
    )


def _durable_mib_per_s(rows: Sequence[Mapping[str, Any]]) -> float | None:
    flushed = [row for row in rows if row["flush_s"] is not None]
    seconds = sum(row["duration_s"] + row["flush_s"] for row in flushed)
    return sum(row["bytes_ok"] for row in flushed) / _MIB / seconds if flushed else None


def _answered_keys(row: Mapping[str, Any]) -> int:
    """Return the number of keys that a round answered. A miss of a lookup is an answer."""
    if row["phase"] != "lookup":
        return int(row["keys_ok"])
    return int(row["keys_requested"]) if row["status"] in ("ok", "partial") else 0
