"""Throughput, latency and counts of groups of rounds. Bytes that did not move in time never increase them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from l2sweep.analysis.rounds.samples import Samples
from l2sweep.analysis.rounds.source import Flags, Floats, Integers
from l2sweep.analysis.rounds.sums import MIB, Sums
from l2sweep.analysis.rounds.table import RoundTable

COUNTS = (
    *("rounds", "timed_out_rounds", "ok_rounds", "unconfirmed_rounds"),
    *("total_keys", "total_ok", "expected_hits", "false_hits", "false_misses"),
    *("verified_keys", "sampled_keys", "mismatched_keys", "evicted_keys"),
)
"""The fields of :class:`Totals` that are whole numbers."""


@dataclass(frozen=True)
class Totals:
    """One entry per group of measured rounds; NaN where a number cannot be computed.

    :class:`l2sweep.analysis.statistics.PhaseSummary` explains each of them.
    """

    rounds: Integers
    timed_out_rounds: Integers
    ok_rounds: Integers
    unconfirmed_rounds: Integers
    total_keys: Floats
    total_ok: Floats
    mib_per_s: Floats
    mib_per_s_elapsed: Floats
    durable_mib_per_s: Floats
    flush_s: Floats
    keys_per_s: Floats
    keys_per_s_elapsed: Floats
    latency_per_key_s: Floats
    expected_hits: Floats
    actual_hit_rate: Floats
    false_hits: Floats
    false_misses: Floats
    verified_keys: Floats
    sampled_keys: Floats
    mismatched_keys: Floats
    evicted_keys: Floats

    @classmethod
    def of(cls, sums: Sums) -> Totals:
        """Compute the numbers of groups of rounds from their sums."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return cls(
                rounds=sums.rounds,
                timed_out_rounds=sums.timed_out_rounds,
                ok_rounds=sums.ok_rounds,
                unconfirmed_rounds=sums.unconfirmed_rounds,
                total_keys=sums.total_keys,
                total_ok=sums.total_ok,
                mib_per_s=sums.timed_mib / sums.duration_s,
                mib_per_s_elapsed=sums.mib / _if_positive(sums.elapsed_s),
                durable_mib_per_s=sums.durable_mib / sums.durable_s,
                flush_s=sums.flush_s / sums.flushed_rounds,
                keys_per_s=sums.timed_answered / sums.duration_s,
                keys_per_s_elapsed=sums.answered / _if_positive(sums.elapsed_s),
                latency_per_key_s=sums.duration_s / _if_positive(sums.timed_answered),
                expected_hits=sums.expected_hits,
                actual_hit_rate=sums.timed_lookup_ok / sums.timed_lookup_keys,
                false_hits=sums.false_hits,
                false_misses=sums.false_misses,
                verified_keys=np.nan_to_num(sums.verified_keys),
                sampled_keys=sums.sampled_keys,
                mismatched_keys=np.nan_to_num(sums.mismatched_keys),
                evicted_keys=np.nan_to_num(sums.evicted_keys),
            )

    def of_group(self, group: int) -> dict[str, Any]:
        """Return the numbers of one group; None where a number cannot be computed."""
        numbers = {field.name: getattr(self, field.name)[group].item() for field in fields(self)}
        return {
            name: None if number != number else int(number) if name in COUNTS else number
            for name, number in numbers.items()
        }


def throughput_range(rounds: RoundTable) -> tuple[float | None, float | None]:
    """Return the throughput of the slowest and of the fastest round, in MiB/s; None for lookups.

    Args:
        rounds: Measured rounds of one phase.
    """
    duration_s = rounds.floats("duration_s")
    is_counted = ~np.isnan(duration_s) & ~rounds.equal("phase", "lookup")
    if not is_counted.any():
        return None, None
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = rounds.floats("bytes_ok")[is_counted] / MIB / duration_s[is_counted]
    slowest, fastest = (rate.item() if np.isfinite(rate) else None for rate in (rates.min(), rates.max()))
    return slowest, fastest


def durations(rounds: RoundTable, groups: Integers, count: int) -> Samples:
    """Return the durations of the rounds, in seconds. Of a round that timed out, its time limit is a bound.

    A second of a trace is no round: there, the latencies of its submits take the place of durations.

    Args:
        rounds: Measured rounds.
        groups: For each round, the number of its group.
        count: Number of groups.
    """
    is_second = rounds.known("second")
    duration_s, limit_s = rounds.floats("duration_s"), rounds.floats("elapsed_s")
    has_limit = rounds.equal("status", "timeout") & ~np.isnan(limit_s) & ~is_second
    is_timed = ~np.isnan(duration_s) & ~is_second
    values = np.concatenate((duration_s[is_timed], limit_s[has_limit]))
    is_unfinished = np.repeat((False, True), (is_timed.sum(), has_limit.sum()))
    of_value = np.concatenate((groups[is_timed], groups[has_limit]))
    if is_second.any():
        of_submits = _latencies(rounds.where(is_second), groups[is_second])
        values, is_unfinished, of_value = (
            np.concatenate(pair) for pair in zip((values, is_unfinished, of_value), of_submits, strict=True)
        )
    return Samples.of(values, is_unfinished, of_value, count)


def submit_latencies(rounds: RoundTable, groups: Integers, count: int) -> Samples:
    """Return the latencies of the submits, in seconds. Of a submit that timed out, the wait is a bound.

    Args:
        rounds: Measured rounds.
        groups: For each round, the number of its group.
        count: Number of groups.
    """
    groups = groups.astype(np.uint16 if count <= 1 << 16 else np.int64)  # there are many submits
    return Samples.of(*_latencies(rounds, groups), count)


def _latencies(rounds: RoundTable, groups: Integers) -> tuple[Floats, Flags, Integers]:
    """Return the latencies of the submits, which of them are only bounds, and the group of each."""
    latency_s, completed = rounds.lists("submit_latency_s")
    waited_s, unfinished = rounds.lists("submit_unfinished_s")
    if not len(waited_s):
        return latency_s, np.zeros(len(latency_s), dtype=np.bool_), np.repeat(groups, completed)
    is_unfinished = np.repeat((False, True), (len(latency_s), len(waited_s)))
    of_value = np.concatenate((np.repeat(groups, completed), np.repeat(groups, unfinished)))
    return np.concatenate((latency_s, waited_s)), is_unfinished, of_value


def _if_positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)
