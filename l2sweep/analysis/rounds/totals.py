"""Throughput, latency and counts of groups of rounds. Bytes that did not move in time never increase them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from l2sweep.analysis.confirmation import UNCONFIRMED
from l2sweep.analysis.rounds.samples import Samples
from l2sweep.analysis.rounds.source import Flags, Floats, Integers
from l2sweep.analysis.rounds.table import RoundTable

MIB = 1024 * 1024
COUNTS = (
    *("rounds", "timed_out_rounds", "ok_rounds", "unconfirmed_rounds"),
    *("keys_per_round", "total_keys", "total_ok", "expected_hits", "false_hits", "false_misses"),
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
    keys_per_round: Floats
    total_keys: Floats
    total_ok: Floats
    mib_per_s: Floats
    mib_per_s_min: Floats
    mib_per_s_max: Floats
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
    def of(cls, rounds: RoundTable, groups: Integers, count: int) -> Totals:
        """Add up measured rounds.

        Args:
            rounds: Measured rounds, of any schema version.
            groups: For each round, the number of its group, from 0. All rounds of a group are of one phase.
            count: Number of groups.
        """

        def total(weights: Floats, which: Flags) -> Floats:
            sums = np.bincount(groups, weights=np.where(which, weights, 0.0), minlength=count)
            return np.asarray(sums, dtype=np.float64)

        def number_of(which: Flags) -> Integers:
            return np.bincount(groups[which], minlength=count)

        def total_of_known(name: str) -> Floats:
            values = rounds.floats(name)
            known = ~np.isnan(values)
            return np.where(number_of(known) > 0, total(values, known), np.nan)

        every = np.ones(len(groups), dtype=np.bool_)
        is_lookup = rounds.equal("phase", "lookup")
        is_ok, is_timeout = rounds.equal("status", "ok"), rounds.equal("status", "timeout")
        duration_s, flush_s = rounds.floats("duration_s"), rounds.floats("flush_s")
        is_timed = ~np.isnan(duration_s)
        keys, keys_ok = rounds.floats("keys_requested"), rounds.floats("keys_ok")
        mib = np.where(is_lookup, np.nan, rounds.floats("bytes_ok") / MIB)  # a lookup moves no payload
        answers = is_ok | rounds.equal("status", "partial")
        answered = np.where(is_lookup, np.where(answers, keys, 0.0), keys_ok)  # a miss is an answer
        elapsed_s = _elapsed_s(rounds, duration_s)
        is_flushed = is_timed & ~np.isnan(flush_s)
        timed_s, all_s = total(duration_s, is_timed), total(elapsed_s, every)
        smallest, largest = np.full(count, np.inf), np.full(count, -np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = mib[is_timed] / duration_s[is_timed]
            np.minimum.at(smallest, groups[is_timed], rates)
            np.maximum.at(largest, groups[is_timed], rates)
            answered_in_time = total(answered, is_timed)
            return cls(
                rounds=number_of(every),
                timed_out_rounds=number_of(is_timeout),
                ok_rounds=number_of(is_ok),
                unconfirmed_rounds=number_of(rounds.equal("status", UNCONFIRMED)),
                keys_per_round=_largest(keys, groups, count),
                total_keys=total(keys, every),
                total_ok=total(keys_ok, every),
                mib_per_s=total(mib, is_timed) / timed_s,
                mib_per_s_min=np.where(np.isinf(smallest), np.nan, smallest),
                mib_per_s_max=np.where(np.isinf(largest), np.nan, largest),
                mib_per_s_elapsed=total(mib, every) / _if_positive(all_s),
                durable_mib_per_s=total(mib, is_flushed & is_ok) / total(duration_s + flush_s, is_flushed),
                flush_s=total(flush_s, is_flushed) / number_of(is_flushed),
                keys_per_s=answered_in_time / timed_s,
                keys_per_s_elapsed=total(answered, every) / _if_positive(all_s),
                latency_per_key_s=timed_s / _if_positive(answered_in_time),
                expected_hits=total(rounds.floats("keys_expected"), is_lookup),
                actual_hit_rate=total(keys_ok, is_timed & is_lookup) / total(keys, is_timed & is_lookup),
                false_hits=total_of_known("false_hits"),
                false_misses=total_of_known("false_misses"),
                verified_keys=np.nan_to_num(total_of_known("verified_keys")),
                sampled_keys=total_of_known("sampled_keys"),
                mismatched_keys=np.nan_to_num(total_of_known("mismatched_keys")),
                evicted_keys=np.nan_to_num(total_of_known("evicted_keys")),
            )

    def of_group(self, group: int) -> dict[str, Any]:
        """Return the numbers of one group; None where a number cannot be computed."""
        numbers = {field.name: getattr(self, field.name)[group].item() for field in fields(self)}
        return {
            name: None if number != number else int(number) if name in COUNTS else number
            for name, number in numbers.items()
        }


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
    return Samples.of(*_latencies(rounds, groups), count)


def _latencies(rounds: RoundTable, groups: Integers) -> tuple[Floats, Flags, Integers]:
    """Return the latencies of the submits, which of them are only bounds, and the group of each."""
    latency_s, completed = rounds.lists("submit_latency_s")
    waited_s, unfinished = rounds.lists("submit_unfinished_s")
    is_unfinished = np.repeat((False, True), (len(latency_s), len(waited_s)))
    of_value = np.concatenate((np.repeat(groups, completed), np.repeat(groups, unfinished)))
    return np.concatenate((latency_s, waited_s)), is_unfinished, of_value


def _elapsed_s(rounds: RoundTable, duration_s: Floats) -> Floats:
    """Return the time that each round took, also one that timed out; NaN if it is unknown."""
    elapsed_s = np.where(np.isnan(duration_s), rounds.floats("elapsed_s"), duration_s)
    unknown = np.isnan(elapsed_s)
    if unknown.any():  # a round that was not run took none; else it was written before schema version 4
        was_run = rounds.where(unknown).known("started_at")
        elapsed_s[unknown] = np.where(was_run, np.nan, 0.0)
    return elapsed_s


def _largest(values: Floats, groups: Integers, count: int) -> Floats:
    largest = np.zeros(count)
    np.maximum.at(largest, groups, values)
    return largest


def _if_positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)
