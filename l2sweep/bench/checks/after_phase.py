"""Check after the last round of a phase what its rounds cannot show, outside the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.bench.checks.stored_keys import NoAnswerError, StoredBatch, StoredKeys, loaded_back
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload

_STORED_KEYS_LOOKED_UP = 4  # as many as keys that were never stored


@dataclass(frozen=True)
class PhaseCheck:
    """The result of a check after a phase.

    Attributes:
        problem: A sentence that says why no round of the phase counts; empty if nothing was found.
        note: A sentence that says what could not be checked; empty if everything was checked.
        is_stuck: Whether a task of the check did not complete, so that the adapter may still use its memory.
    """

    problem: str = ""
    note: str = ""
    is_stuck: bool = False


def check_store(
    keys: StoredKeys, batches: Sequence[StoredBatch], region: Region, payload: Payload
) -> PhaseCheck:
    """Look up what a store phase stored, and keys that were never stored.

    Without a load phase in this process, some keys are also loaded back. A load that raises an error is not a
    fault of the store: then only the lookup was checked, and a note says so.

    Args:
        keys: Looks up and loads keys.
        batches: The submits of the phase that completed.
        region: The memory of the phase. It is overwritten.
        payload: Generates and checks the bytes.
    """
    stored = [batch for batch in batches if batch.keys_ok]
    if not stored:
        return PhaseCheck()
    region.clear()  # an adapter that only kept references to it must not find the payload there
    try:
        lost = keys.count_lost(stored)
        invented = 0 if keys.job.shared_namespace else keys.count_invented()
    except NoAnswerError as error:
        return PhaseCheck(f"store: the lookup of the stored keys failed: {error}", is_stuck=error.is_stuck)
    if lost:
        total = sum(batch.keys_ok for batch in stored)
        return PhaseCheck(f"store: {lost} of {total} stored keys are not found by a lookup")
    if invented:
        return PhaseCheck(
            f"store: not confirmed, because a lookup finds {invented} keys that were never stored"
        )
    if "load" in keys.job.phases:
        return PhaseCheck()
    try:
        indices = loaded_back(stored, most=len(region.slots))
        problem = keys.problem_of_load(indices, region, payload)
    except NoAnswerError as error:
        if not error.has_raised:
            return PhaseCheck(f"store: the load of stored keys failed: {error}", is_stuck=error.is_stuck)
        note = f"store: its bytes were not checked, because a load failed: {error}"
        return PhaseCheck(note=note, is_stuck=error.is_stuck)
    return PhaseCheck(f"store: {problem}" if problem else "")


def check_lookup(keys: StoredKeys) -> PhaseCheck:
    """Look up keys whose answer is known, because the rounds may contain none of them.

    With ``lookup_max_hit_rate=1`` all keys of a round are stored, so that an adapter that finds every key
    looks correct. With 0 none of them is, so that one that finds no key looks correct.

    Args:
        keys: Looks up keys.
    """
    layout = keys.job.key_layout
    stored: Sequence[int] = ()
    if keys.job.keys_stored and not layout.hits_per_round:
        stored = layout.stored[-_STORED_KEYS_LOOKED_UP:]
    try:
        invented = 0 if keys.job.shared_namespace else keys.count_invented()
        lost = keys.count_lost([StoredBatch(stored, len(stored))])
    except NoAnswerError as error:
        return PhaseCheck(f"lookup: the lookup of other keys failed: {error}", is_stuck=error.is_stuck)
    if invented:
        return PhaseCheck(f"lookup: not confirmed, because it finds {invented} keys that were never stored")
    if lost:
        return PhaseCheck(
            f"lookup: not confirmed, because it does not find {lost} of {len(stored)} stored keys"
        )
    return PhaseCheck()
