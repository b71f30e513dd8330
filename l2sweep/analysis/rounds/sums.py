"""Add up measured rounds: over groups of rounds, and over groups of such groups."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from l2sweep.analysis.confirmation import UNCONFIRMED
from l2sweep.analysis.rounds.source import Flags, Floats, Integers
from l2sweep.analysis.rounds.table import RoundTable

MIB = 1024 * 1024
_OF_KNOWN = (
    *("false_hits", "false_misses"),
    *("verified_keys", "sampled_keys", "mismatched_keys", "evicted_keys"),
)
"""Sums over the rounds that have a value; NaN if none has."""


@dataclass(frozen=True)
class Sums:
    """What is added up in each group of measured rounds, one entry per group.

    A sum is NaN if a round that counts lacks the value.

    Attributes:
        rounds: Number of rounds.
        timed_out_rounds: Number of those that did not complete in time.
        ok_rounds: Number of those that are ok.
        unconfirmed_rounds: Number of those that a load proves wrong.
        total_keys: Requested keys.
        total_ok: Keys moved or found.
        timed_mib: Moved MiB of the rounds that have a duration; NaN for lookups, which move no payload.
        mib: Moved MiB of all rounds; NaN for lookups.
        durable_mib: Moved MiB of the ok rounds that were flushed.
        timed_answered: Answered keys of the rounds that have a duration. A miss of a lookup is an answer.
        answered: Answered keys of all rounds.
        duration_s: Durations of the rounds that have one.
        elapsed_s: Times that the rounds took, also those that timed out.
        flushed_rounds: Number of rounds that have a duration and were flushed.
        flush_s: The times of their flushes.
        durable_s: Their durations and flushes.
        expected_hits: Lookups: requested keys that were stored.
        timed_lookup_keys: Lookups that have a duration: requested keys.
        timed_lookup_ok: Lookups that have a duration: found keys.
        false_hits: Keys that were found but never stored.
        false_misses: Keys that were stored but not found.
        verified_keys: Loaded keys of which every byte was checked.
        sampled_keys: Loaded keys of which a few words were checked.
        mismatched_keys: Checked or sampled keys with wrong bytes.
        evicted_keys: Keys that a load did not move because LMCache had evicted them, or a key before them.
    """

    rounds: Integers
    timed_out_rounds: Integers
    ok_rounds: Integers
    unconfirmed_rounds: Integers
    total_keys: Floats
    total_ok: Floats
    timed_mib: Floats
    mib: Floats
    durable_mib: Floats
    timed_answered: Floats
    answered: Floats
    duration_s: Floats
    elapsed_s: Floats
    flushed_rounds: Integers
    flush_s: Floats
    durable_s: Floats
    expected_hits: Floats
    timed_lookup_keys: Floats
    timed_lookup_ok: Floats
    false_hits: Floats
    false_misses: Floats
    verified_keys: Floats
    sampled_keys: Floats
    mismatched_keys: Floats
    evicted_keys: Floats

    @classmethod
    def of(cls, rounds: RoundTable, groups: Integers, count: int) -> Sums:
        """Add up measured rounds.

        Args:
            rounds: Measured rounds, of any schema version.
            groups: For each round, the number of its group, from 0. All rounds of a group are of one phase.
            count: Number of groups.
        """

        def total(values: Floats, which: Flags) -> Floats:
            return _total(values, which, groups, count)

        def number_of(which: Flags) -> Integers:
            return _number_of(which, groups, count)

        def total_of_known(name: str) -> Floats:
            return _total_of_known(rounds.floats(name), groups, count)

        every = np.ones(len(groups), dtype=np.bool_)
        is_lookup, is_ok = rounds.equal("phase", "lookup"), rounds.equal("status", "ok")
        duration_s, flush_s = rounds.floats("duration_s"), rounds.floats("flush_s")
        is_timed = ~np.isnan(duration_s)
        keys, keys_ok = rounds.floats("keys_requested"), rounds.floats("keys_ok")
        mib = np.where(is_lookup, np.nan, rounds.floats("bytes_ok") / MIB)
        has_answers = is_ok | rounds.equal("status", "partial")
        answered = np.where(is_lookup, np.where(has_answers, keys, 0.0), keys_ok)
        is_flushed = is_timed & ~np.isnan(flush_s)
        return cls(
            rounds=number_of(every),
            timed_out_rounds=number_of(rounds.equal("status", "timeout")),
            ok_rounds=number_of(is_ok),
            unconfirmed_rounds=number_of(rounds.equal("status", UNCONFIRMED)),
            total_keys=total(keys, every),
            total_ok=total(keys_ok, every),
            timed_mib=total(mib, is_timed),
            mib=total(mib, every),
            durable_mib=total(mib, is_flushed & is_ok),
            timed_answered=total(answered, is_timed),
            answered=total(answered, every),
            duration_s=total(duration_s, is_timed),
            elapsed_s=total(_elapsed_s(rounds, duration_s), every),
            flushed_rounds=number_of(is_flushed),
            flush_s=total(flush_s, is_flushed),
            durable_s=total(duration_s + flush_s, is_flushed),
            expected_hits=total(rounds.floats("keys_expected"), is_lookup),
            timed_lookup_keys=total(keys, is_timed & is_lookup),
            timed_lookup_ok=total(keys_ok, is_timed & is_lookup),
            false_hits=total_of_known("false_hits"),
            false_misses=total_of_known("false_misses"),
            verified_keys=total_of_known("verified_keys"),
            sampled_keys=total_of_known("sampled_keys"),
            mismatched_keys=total_of_known("mismatched_keys"),
            evicted_keys=total_of_known("evicted_keys"),
        )

    def pooled(self, groups: Integers, count: int) -> Sums:
        """Add up groups of rounds.

        Args:
            groups: For each group of rounds, the number of the group that it belongs to, from 0.
            count: Number of these groups.
        """
        pooled: dict[str, Any] = {}
        for name in (field.name for field in fields(self)):
            values = getattr(self, name)
            if name in _OF_KNOWN:
                pooled[name] = _total_of_known(values, groups, count)
            else:
                sums = np.bincount(groups, weights=values, minlength=count)
                pooled[name] = sums.astype(values.dtype)
        return Sums(**pooled)


def _total(values: Floats, which: Flags, groups: Integers, count: int) -> Floats:
    """Return the sums of those values that are marked."""
    if not which.any():
        return np.zeros(count)
    weights = values if which.all() else np.where(which, values, 0.0)
    return np.asarray(np.bincount(groups, weights=weights, minlength=count), dtype=np.float64)


def _number_of(which: Flags, groups: Integers, count: int) -> Integers:
    if not which.any():
        return np.zeros(count, dtype=np.int64)
    return np.bincount(groups if which.all() else groups[which], minlength=count)


def _total_of_known(values: Floats, groups: Integers, count: int) -> Floats:
    is_known = ~np.isnan(values)
    has_known = _number_of(is_known, groups, count) > 0
    return np.where(has_known, _total(values, is_known, groups, count), np.nan)


def _elapsed_s(rounds: RoundTable, duration_s: Floats) -> Floats:
    """Return the time that each round took, also one that timed out; NaN if it is unknown."""
    elapsed_s = np.where(np.isnan(duration_s), rounds.floats("elapsed_s"), duration_s)
    unknown = np.isnan(elapsed_s)
    if unknown.any():  # a round that was not run took none; else it was written before schema version 4
        was_run = rounds.where(unknown).known("started_at")
        elapsed_s[unknown] = np.where(was_run, np.nan, 0.0)
    return elapsed_s
