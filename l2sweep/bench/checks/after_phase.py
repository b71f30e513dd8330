"""Check around the rounds of a phase what they cannot show, outside the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from l2sweep.bench.checks.sentinel import Sentinel
from l2sweep.bench.checks.stored_keys import NoAnswerError, StoredBatch, StoredKeys
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload

# All keys of a submit of the usual size, so that a fault at any position is found, and a few of others.
_KEYS_OF_LAST_SUBMIT = 32
_OTHER_SUBMITS = 3
_STORED_KEYS_LOOKED_UP = 4  # as many as keys that were never stored


@dataclass(frozen=True)
class PhaseCheck:
    """The result of a check before or after the rounds of a phase.

    Attributes:
        problem: A sentence that says why no round of the phase counts; empty if nothing was found.
        note: A sentence that says what could not be checked; empty if everything was checked.
        is_stuck: Whether a task of the check did not complete, so that the adapter may still use its memory.
    """

    problem: str = ""
    note: str = ""
    is_stuck: bool = False

    def in_adapter(self, number: int) -> PhaseCheck:
        """Return the same result with the number of the adapter in its sentences.

        Args:
            number: From 1.
        """
        problem, note = (
            text.replace(": ", f": adapter {number}: ", 1) if text else ""
            for text in (self.problem, self.note)
        )
        return replace(self, problem=problem, note=note)


def check_store(
    keys: StoredKeys,
    batches: Sequence[StoredBatch],
    region: Region,
    payload: Payload,
    *,
    is_loaded_later: bool,
) -> PhaseCheck:
    """Look up what a store phase stored, and keys that were never stored.

    Where no load phase of this process follows, some keys are also loaded back. A load that raises an error
    is not a fault of the store: then only the lookup was checked, and a note says so.

    Args:
        keys: Looks up and loads keys.
        batches: The submits of the phase that completed.
        region: The memory of the phase. It is overwritten.
        payload: Generates and checks the bytes.
        is_loaded_later: Whether a load phase of this process loads all these keys.
    """
    stored = [batch for batch in batches if batch.keys_ok]
    if not stored:
        return PhaseCheck()
    region.clear()  # an adapter that only kept references to it must not find the payload there
    try:
        lost = keys.count_lost(stored, but_evicted=True)
        invented = 0 if keys.job.shared_namespace else keys.count_invented()
    except NoAnswerError as error:
        return PhaseCheck(f"store: the lookup of the stored keys failed: {error}", is_stuck=error.is_stuck)
    if lost:
        return PhaseCheck(f"store: {lost} of {_count(stored)} stored keys are not found by a lookup")
    if invented:
        return PhaseCheck(
            f"store: not confirmed, because a lookup finds {invented} keys that were never stored"
        )
    evicted = keys.evicted([index for batch in stored for index in batch.indices])
    note = f"store: LMCache has evicted {len(evicted)} of {_count(stored)} stored keys" if evicted else ""
    if is_loaded_later:
        return PhaseCheck(note=note)
    try:
        there = [batch for batch in stored if not evicted.intersection(batch.indices)]
        indices = loaded_back(there, most=len(region.slots))
        if not indices:
            return PhaseCheck(note=note)
        problem = keys.problem_of_load(indices, region, payload)
    except NoAnswerError as error:
        if not error.has_raised:
            return PhaseCheck(f"store: the load of stored keys failed: {error}", is_stuck=error.is_stuck)
        note = f"store: its bytes were not checked, because a load failed: {error}"
        return PhaseCheck(note=note, is_stuck=error.is_stuck)
    return PhaseCheck(f"store: {problem}" if problem else "", note)


def loaded_back(batches: Sequence[StoredBatch], most: int) -> list[int]:
    """Return the indices of the keys to load back: those of the last submit, and the last of some others.

    Args:
        batches: What was stored.
        most: Largest number of keys.
    """
    whole = [batch.indices for batch in batches if batch.keys_ok == len(batch.indices)]
    if not whole:
        return []
    last = _spread(whole[-1], min(most, _KEYS_OF_LAST_SUBMIT))
    others = _spread([indices[-1] for indices in whole[:-1]], min(most - len(last), _OTHER_SUBMITS))
    return last + others


def _spread(values: Sequence[int], most: int) -> list[int]:
    """Return some values at equal distances, the last one first."""
    count = min(len(values), most)
    return [values[-1 - number * len(values) // count] for number in range(count)]


def _count(batches: Sequence[StoredBatch]) -> int:
    return sum(batch.keys_ok for batch in batches)


def check_before_lookup(sentinel: Sentinel) -> PhaseCheck:
    """Find a sentinel before the first round of a lookup phase.

    After a store phase of the point, its check has just found the stored keys. Before a phase that should be
    cold, a lookup would load what the phase measures. Where all keys of the rounds are stored, their hits say
    more, and an adapter may remember a key that it has found. In these cases nothing is looked up.

    Args:
        sentinel: The sentinel of the process. If no stored key is found, one is stored.
    """
    job = sentinel.keys.job
    all_hit = job.key_layout.hits_per_round == job.workload.keys_per_round
    if job.keys_stored or job.max_resident_fraction is not None or all_hit:
        return PhaseCheck()
    try:
        if sentinel.choose_from(job.key_layout.stored[-1:]) or sentinel.store_own():
            return PhaseCheck()
    except NoAnswerError as error:
        return PhaseCheck(
            f"lookup: no sentinel was found before its rounds: {error}", is_stuck=error.is_stuck
        )
    return PhaseCheck(f"lookup: no sentinel was found before its rounds: {sentinel.why_none}")


def check_lookup(sentinel: Sentinel) -> PhaseCheck:
    """Look up keys whose answer is known, because the rounds may contain none of them.

    With ``lookup_max_hit_rate=1`` all keys of a round are stored, so that an adapter that finds every key
    looks correct. With 0 none of them is, so that one that finds no key looks correct, also one whose server
    is down. A sentinel must be found whatever the hit rate is: a server can fail during the last round.

    Args:
        sentinel: The sentinel of the process. One that was found before the phase must be found again.
    """
    keys = sentinel.keys
    layout = keys.job.key_layout
    stored: Sequence[int] = ()
    if keys.job.keys_stored and not layout.hits_per_round:
        stored = layout.stored[-_STORED_KEYS_LOOKED_UP:]
    try:
        invented = 0 if keys.job.shared_namespace else keys.count_invented()
        if invented:
            return PhaseCheck(
                f"lookup: not confirmed, because it finds {invented} keys that were never stored"
            )
        if lost := keys.count_lost([StoredBatch(stored, len(stored))]):
            return PhaseCheck(
                f"lookup: not confirmed, because it does not find {lost} of {len(stored)} stored keys"
            )
        problem = _problem_of_sentinel(sentinel)
    except NoAnswerError as error:
        return PhaseCheck(f"lookup: the lookup of other keys failed: {error}", is_stuck=error.is_stuck)
    return PhaseCheck(f"lookup: not confirmed, because {problem}" if problem else "")


def _problem_of_sentinel(sentinel: Sentinel) -> str:
    """Return a clause if no sentinel is found after a lookup phase; empty if one is."""
    job = sentinel.keys.job
    if sentinel.is_chosen:
        return "" if sentinel.is_found() else f"{sentinel} was found before its rounds, and not after them"
    if sentinel.choose_stored():
        why = sentinel.why_not_loaded()
        return f"{sentinel} is found and cannot be loaded: {why}" if why else ""
    if job.keys_stored:
        return f"it finds none of {len(job.key_layout.stored)} stored keys"
    if sentinel.store_own():
        return ""
    return f"it finds no stored key, and {sentinel} could not be stored: {sentinel.why_none}"
