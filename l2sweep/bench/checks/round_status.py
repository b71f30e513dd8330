"""The status of a round, and what is said of it, from the submits that completed."""

from __future__ import annotations

from l2sweep.bench.adapter.contract import in_one_line
from l2sweep.bench.clock import RoundTiming
from l2sweep.bench.rounds.counts import evicted_keys


def status_of(timing: RoundTiming, keys_ok: int, expected: int) -> str:
    """Return the status of a round.

    Args:
        timing: The timing of the round.
        keys_ok: Number of keys that were moved or found.
        expected: Number of keys that must be moved or found.
    """
    if timing.error:
        return "error"
    if timing.outstanding:
        return "timeout"
    if keys_ok == expected:
        return "ok"
    return "partial" if keys_ok else "error"


def outstanding(timing: RoundTiming) -> str:
    """Return how many submits of a round did not complete."""
    late = len(timing.outstanding)
    return f"{late} of {late + len(timing.completions)} submits did not complete"


def shortfall(name: str, timing: RoundTiming, keys_ok: int, expected: int) -> str:
    """Return a sentence that says how many keys are missing; empty if none are, or the adapter raised.

    Args:
        name: store, lookup or load.
        timing: The timing of the round.
        keys_ok: Number of keys that were moved or found.
        expected: Number of keys that must be moved or found.
    """
    if timing.error:
        return ""
    if timing.outstanding:
        return f"{outstanding(timing)} in time"
    if keys_ok == expected:
        return ""
    if name == "lookup":
        return f"{keys_ok} keys found, {expected} expected"
    failed = sum(completion.failed for completion in timing.completions.values())
    if name == "load":
        evicted = evicted_keys(timing.completions.values())
        reason = f", {evicted} not, because LMCache evicted them or a key before them" if evicted else ""
        return f"{keys_ok} of {expected} keys loaded{reason}"
    if failed:
        return f"{keys_ok} of {expected} keys stored, {failed} of {len(timing.completions)} submits failed"
    reasons = in_one_line(done.shortfall for done in timing.completions.values() if done.shortfall)
    return f"{keys_ok} of {expected} keys stored: {reasons}"
