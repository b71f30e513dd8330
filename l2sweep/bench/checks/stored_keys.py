"""Look up keys outside the clock: after a store they must be found, after a deletion they must not.

Where no load phase follows in the same process, some of the stored keys are also loaded back.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.bench.adapter.contract import AdapterTaskIds
from l2sweep.bench.adapter.create import delete, object_keys
from l2sweep.bench.adapter.verbs import Completion, Submit, Verb, verb_of
from l2sweep.bench.checks.loaded_bytes import random_mask
from l2sweep.bench.clock import RoundClock
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.job import Job, adapter_types
from l2sweep.errors import BenchError

# One submit of all keys of a long point would take longer than the time limit of a round.
_KEYS_PER_LOOKUP = 512
# An adapter may complete a task before other calls see its effect: it may index keys in a thread of its own,
# or ask a replica. Not measured: a choice between waiting for a slow index and delaying the verdict.
_SETTLE_S = 1.0
_FIRST_PAUSE_S = 0.005


class NoAnswerError(BenchError):
    """An adapter did not answer a lookup or load of a check.

    Args:
        error: The error that it raised; empty if the task timed out.
        is_stuck: Whether the task did not complete, so that the adapter may still use its memory.
    """

    def __init__(self, error: str, *, is_stuck: bool) -> None:
        super().__init__(error or "timed out")
        self.has_raised = bool(error)
        self.is_stuck = is_stuck


@dataclass(frozen=True)
class StoredBatch:
    """The keys of a store submit that completed.

    Attributes:
        indices: Their indices.
        keys_ok: How many of them count as stored. The adapter reports bytes, and not which keys it stored.
    """

    indices: Sequence[int]
    keys_ok: int


@dataclass(frozen=True)
class StoredKeys:
    """Check the keys of a point outside the clock.

    Attributes:
        adapter: The adapter.
        job: The job of the process.
        task_ids: The task ids that the adapter has returned.
        on_step: Called after each lookup, and each call that deletes keys.
    """

    adapter: L2AdapterInterface
    job: Job
    task_ids: AdapterTaskIds = field(default_factory=AdapterTaskIds)
    on_step: Callable[[], None] = lambda: None

    def find(self, indices: Sequence[int]) -> set[int]:
        """Look up keys, and return the indices of those that are found.

        Args:
            indices: Key indices.

        Raises:
            NoAnswerError: The adapter raised an error, or the lookup did not complete in time.
        """
        found: set[int] = set()
        verb = self._verb("lookup")
        for start in range(0, len(indices), _KEYS_PER_LOOKUP):
            part = list(indices[start : start + _KEYS_PER_LOOKUP])
            submit = Submit(part, self._keys(part), [])
            completion = self._run(verb, submit)
            found.update(part[position] for position in completion.ok_positions or ())
            self.on_step()
        return found

    def count_lost(self, batches: Sequence[StoredBatch], *, but_evicted: bool = False) -> int:
        """Return how many stored keys are not found, even after some time.

        Args:
            batches: What was stored.
            but_evicted: Whether keys that LMCache evicted are not counted.

        Raises:
            NoAnswerError: As for :meth:`find`.
        """
        found: set[int] = set()

        def lost() -> int:
            missing = [index for batch in batches for index in batch.indices if index not in found]
            found.update(self.find(missing))
            if but_evicted:
                found.update(self.evicted(missing))
            return sum(max(0, batch.keys_ok - len(found.intersection(batch.indices))) for batch in batches)

        return _when_settled(lost)

    def evicted(self, indices: Sequence[int]) -> set[int]:
        """Return the indices of those keys that LMCache evicted. Only its storage manager evicts keys.

        Args:
            indices: Key indices.
        """
        evictions = getattr(self.adapter, "evictions", None)
        if evictions is None:
            return set()
        index_of = dict(zip(self._keys(indices), indices, strict=True))
        return {index_of[key] for key in evictions.of(list(index_of))}

    def count_invented(self) -> int:
        """Return how many keys are found that no phase of the point ever stores.

        They are looked up alone, and between stored keys in submits of the size of the point: an adapter may
        answer for a whole submit what holds for one of its keys.

        Raises:
            NoAnswerError: As for :meth:`find`.
        """
        layout = self.job.key_layout
        size = min(self.job.workload.num_keys, len(layout.stored))  # a trace may have fewer keys
        never_stored = range(layout.never_stored.start, layout.never_stored.start + size)
        found = self.find(layout.never_stored)
        for first in (0, 1):  # the first key of a submit: never stored, then stored
            keys = [never_stored, layout.stored[-size:]]
            mixed = [keys[(position + first) % 2][position] for position in range(size)]
            found |= self.find(mixed).intersection(never_stored)
        return len(found)

    def count_left(self, indices: Sequence[int]) -> int:
        """Delete the keys that are found after a deletion again, for some time, and return how many stay.

        An adapter may skip a key that a lookup has locked, without a message, and release the lock later, in
        a callback (``submit_unlock`` of nixl_store_l2_adapter.py).

        Args:
            indices: Key indices.

        Raises:
            NoAnswerError: As for :meth:`find`.
        """
        left = list(indices)
        tries = itertools.count()

        def count() -> int:
            if next(tries):  # the pause before this call lets the adapter release the lock of the last lookup
                self.delete(left)
            left[:] = sorted(self.find(left))
            return len(left)

        return _when_settled(count)

    def delete(self, indices: Sequence[int]) -> None:
        """Delete keys. LMCache's ``delete`` reports nothing: only a lookup shows whether they are gone.

        Args:
            indices: Key indices.
        """
        delete(self.adapter, indices, self.job.namespace, self.job.kv_rank, self.on_step)

    def store(self, index: int, region: Region, payload: Payload) -> str:
        """Store one key outside the clock. Only a lookup shows whether it is stored.

        Args:
            index: Index of the key.
            region: Memory that no phase uses. Its first slot is overwritten.
            payload: Generates the bytes.

        Returns:
            What the adapter reports instead of a store of all bytes; empty if it reports one.

        Raises:
            NoAnswerError: As for :meth:`find`.
        """
        payload.fill(region.slots[0], index)
        submit = Submit([index], self._keys([index]), [region.submits[0][0]])
        completion = self._run(self._verb("store"), submit)
        return completion.shortfall or ("the store failed" if completion.failed else "")

    def can_load(self, index: int, region: Region) -> bool:
        """Return whether the adapter reports a load of one key as successful. Its bytes are not checked.

        Args:
            index: Index of the key.
            region: Memory that no phase uses. Its first slot is overwritten.

        Raises:
            NoAnswerError: As for :meth:`find`.
        """
        submit = Submit([index], self._keys([index]), [region.submits[0][0]])
        verb = self._verb("load")
        return not _when_settled(lambda: 1 - len(self._run(verb, submit).ok_positions or ()))

    def problem_of_load(self, indices: Sequence[int], region: Region, payload: Payload) -> str:
        """Load stored keys back, and check every byte.

        Args:
            indices: Key indices, not more than the region has slots.
            region: Memory for them. All its bytes are overwritten first, so it may be the memory that the
                keys were stored from: an adapter that only kept a reference to it is found, too.
            payload: Generates and checks the bytes.

        Returns:
            A sentence if keys cannot be loaded or have wrong bytes; empty if they are correct.

        Raises:
            NoAnswerError: As for :meth:`find`.
        """
        objects = [one for submit in region.submits for one in submit][: len(indices)]
        submit = Submit(list(indices), self._keys(indices), objects)
        slots = region.slots[: len(indices)]
        verb = self._verb("load")
        mask = random_mask()
        for slot, index in zip(slots, indices, strict=True):
            payload.fill(slot, index)
            slot.view(np.uint64)[:] ^= (
                mask  # a load that writes nothing, or inverts what it finds, must not pass
            )
        loaded: set[int] = set()

        def not_loaded() -> int:
            loaded.update(self._run(verb, submit).ok_positions or ())
            return len(indices) - len(loaded)

        unloaded = _when_settled(not_loaded)
        wrong = [
            position
            for position in sorted(loaded)
            if payload.first_difference(slots[position], indices[position]) is not None
        ]
        if "fault_inject" in adapter_types(self.job.adapter_spec) or self.evicted(indices):
            unloaded = 0  # it fails loads because it was asked to; a prefetch ends at an evicted key
        counts = [(unloaded, "cannot be loaded back"), (len(wrong), "are loaded back with wrong bytes")]
        return "; ".join(f"{count} of {len(indices)} sampled keys {text}" for count, text in counts if count)

    def _verb(self, name: str) -> Verb:
        return verb_of(name, self.adapter, self.job.workload.data_size_bytes)

    def _keys(self, indices: Sequence[int]) -> list[ObjectKey]:
        return object_keys(indices, self.job.namespace, self.job.kv_rank)

    def _run(self, verb: Verb, submit: Submit) -> Completion:
        # A submit of a check may have more keys than a round.
        rounds = math.ceil(len(submit.indices) / (self.job.workload.num_keys * self.job.workload.in_flight))
        timeout_s = self.job.timeout_s[verb.name] * max(1, rounds)
        clock = RoundClock(verb, timeout_s, self.task_ids.of(verb.name))
        try:
            verb.prepare([submit])
        except BenchError as raised:
            raise NoAnswerError(str(raised), is_stuck=False) from raised
        timing = clock.time([submit])
        if timing.outstanding or timing.error:
            error = timing.error.removeprefix(f"{verb.name}: ")
            raise NoAnswerError(error, is_stuck=bool(timing.outstanding))
        return timing.completions[0]


def _when_settled(count: Callable[[], int]) -> int:
    """Call a function until it returns 0, or some time has passed, and return its last result."""
    deadline = time.monotonic() + _SETTLE_S
    pause_s = _FIRST_PAUSE_S
    while (last := count()) and time.monotonic() < deadline:
        time.sleep(pause_s)
        pause_s *= 2
    return last
