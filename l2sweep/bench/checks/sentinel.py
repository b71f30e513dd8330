"""The sentinel: one stored key that a lookup must find for the answer "absent" to say anything.

An adapter that has lost its server finds no key, and so does one whose keys are all deleted. The two differ
only in a key that must still be there. Where a key of the point is stored, the sentinel is one of them, so
that nothing is stored besides what is measured. Otherwise it is one key in a namespace of its own, which is
stored outside the clock and deleted at the end of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from l2sweep.bench.checks.stored_keys import NoAnswerError, StoredBatch, StoredKeys
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload

_FIRST_LOOKED_UP = 4  # the keys that were stored last: an adapter that evicts keys evicts them last
_KEYS_PER_SEARCH = 512
_OWN_INDEX = 0


@dataclass
class Sentinel:
    """The sentinel of a process.

    Attributes:
        keys: Looks up the keys of the point.
        make_region: Returns memory that no phase uses then.
        index: Index of the key of the point that is the sentinel; None if there is none.
        own_may_exist: Whether a key may be stored that is only a sentinel.
        why_none: Why that key was not found.
    """

    keys: StoredKeys
    make_region: Callable[[], Region]
    index: int | None = field(default=None, init=False)
    own_may_exist: bool = field(default=False, init=False)
    why_none: str = field(default="", init=False)
    _own: StoredKeys = field(init=False)
    _own_was_found: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """Prepare the access to the key that is only a sentinel."""
        job = self.keys.job
        self._own = replace(self.keys, job=replace(job, namespace=job.sentinel_namespace))

    @property
    def is_chosen(self) -> bool:
        """Whether there is a sentinel: a lookup has found it once."""
        return self.index is not None or self._own_was_found

    def choose_from(self, indices: Sequence[int]) -> bool:
        """Make a stored key of the point the sentinel, and return whether one of some was found.

        Args:
            indices: Key indices, in ascending order. The last one that is found is taken.

        Raises:
            NoAnswerError: The adapter raised an error, or a lookup did not complete in time.
        """
        self.index = max(self.keys.find(indices), default=None)
        return self.index is not None

    def choose_stored(self) -> bool:
        """Make any stored key of the point the sentinel, and return whether one was found.

        Raises:
            NoAnswerError: As for :meth:`choose_from`.
        """
        stored = self.keys.job.key_layout.owned
        if self.choose_from(stored[-_FIRST_LOOKED_UP:]):
            return True
        starts = reversed(range(0, len(stored), _KEYS_PER_SEARCH))
        return any(self.choose_from(stored[start : start + _KEYS_PER_SEARCH]) for start in starts)

    def store_own(self) -> bool:
        """Store a key that is only a sentinel, and return whether a lookup finds it then.

        Raises:
            NoAnswerError: As for :meth:`choose_from`, or the store did not complete in time.
        """
        job, reported = self._own.job, ""
        try:
            if not self._own.find([_OWN_INDEX]):
                self.own_may_exist = True  # whatever the store reports
                payload = Payload(job.workload.seed, job.namespace)
                reported = self._own.store(_OWN_INDEX, self.make_region(), payload)
            self.own_may_exist = True
            self._own_was_found = not self._own.count_lost([StoredBatch([_OWN_INDEX], 1)])
        except NoAnswerError as error:
            if error.is_stuck:
                raise
            reported = str(error)
        if not self._own_was_found:
            self.why_none = reported or "a lookup does not find it"
        return self._own_was_found

    def is_found(self) -> bool:
        """Look up the sentinel, and return whether it is found, even after some time.

        Raises:
            NoAnswerError: As for :meth:`choose_from`.
        """
        keys, index = (self._own, _OWN_INDEX) if self.index is None else (self.keys, self.index)
        return not keys.count_lost([StoredBatch([index], 1)])

    def why_not_loaded(self) -> str:
        """Return why the sentinel cannot be loaded, where its lookup shows nothing; empty otherwise.

        Some adapters remember which keys they stored, and answer their lookups without the server.

        Raises:
            NoAnswerError: The load did not complete in time.
        """
        job = self.keys.job
        is_remembered = "store" in job.phases and job.remembers_stored
        if self.index is None or not is_remembered:
            return ""
        try:
            return "" if self.keys.can_load(self.index, self.make_region()) else "the load does not find it"
        except NoAnswerError as error:
            if error.is_stuck:
                raise
            return str(error)

    def delete_own(self) -> str:
        """Delete the key that is only a sentinel.

        Returns:
            A clause if it is still found; empty if it is not.

        Raises:
            NoAnswerError: As for :meth:`choose_from`.
        """
        self._own.delete([_OWN_INDEX])
        is_left = self._own.count_left([_OWN_INDEX])
        return f"{self._own_name} is still found after it was deleted" if is_left else ""

    def __str__(self) -> str:
        """Return a name for messages."""
        return self._own_name if self.index is None else f"key {self.index}, the sentinel,"

    @property
    def _own_name(self) -> str:
        return f"the sentinel (one key of namespace {self._own.job.namespace!r})"
