"""Which keys of a trace are stored while it is replayed, and which of them a lookup must find."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

# The states of a key. A store that failed, or moved only a part of its keys, leaves them unknown.
_ABSENT, _PLANNED, _IN_FLIGHT, _STORED, _UNKNOWN = range(5)


@dataclass(frozen=True)
class LookupAnswer:
    """What a lookup found.

    Attributes:
        hits: Positions of the keys that were found and may be stored.
        expected: Number of keys that it must find: those that were stored before it was submitted, and the
            hits among keys that were being stored meanwhile. Of such a key, either answer is right.
        false_hits: Number of found keys that no store had been submitted for when the lookup completed.
        false_misses: Number of keys that were stored before the lookup was submitted, and not found.
    """

    hits: frozenset[int]
    expected: int
    false_hits: int
    false_misses: int


class KeyStates:
    """The states of all keys of a trace.

    Args:
        num_keys: Number of keys. None is stored at the beginning.
    """

    def __init__(self, num_keys: int) -> None:
        self._states = bytearray(num_keys)

    def missing(self, keys: Iterable[int], found: Collection[int], lost: Collection[int]) -> list[int]:
        """Return the keys of a request that are to be stored, each of which no other request stores now.

        Args:
            keys: Its keys.
            found: Those that its lookup found.
            lost: Those that were stored before its lookup, which did not find them. A key that was stored
                while it was looked up may be missed, and need not be stored again.
        """

        def is_missing(key: int) -> bool:
            state = self._states[key]
            if key in found or state in (_PLANNED, _IN_FLIGHT):
                return False
            return state != _STORED or key in lost

        return [key for key in keys if is_missing(key)]

    def stored_before(self, keys: Sequence[int]) -> frozenset[int]:
        """Return the positions of the keys that are stored now.

        Args:
            keys: The keys of a lookup that is about to be submitted.
        """
        return frozenset(place for place, key in enumerate(keys) if self._states[key] == _STORED)

    def judge(self, keys: Sequence[int], before: Collection[int], found: Collection[int]) -> LookupAnswer:
        """Compare the answer of a lookup with the states of its keys.

        Args:
            keys: Its keys.
            before: What :meth:`stored_before` returned.
            found: Positions of the keys that it found.
        """
        false_hits = frozenset(place for place in found if self._states[keys[place]] in (_ABSENT, _PLANNED))
        hits = frozenset(found) - false_hits
        return LookupAnswer(
            hits=hits,
            expected=len(hits.union(before)),
            false_hits=len(false_hits),
            false_misses=len(frozenset(before) - frozenset(found)),
        )

    def plan(self, keys: Iterable[int]) -> None:
        """Note that a store of keys waits for its memory."""
        self._set(keys, _PLANNED)

    def submit(self, keys: Iterable[int]) -> None:
        """Note that a store of keys is about to be submitted."""
        self._set(keys, _IN_FLIGHT)

    def complete(self, keys: Sequence[int], keys_ok: int) -> None:
        """Note that a store of keys completed.

        Args:
            keys: The keys.
            keys_ok: How many of them were moved. The adapter does not tell which.
        """
        self._set(keys, _STORED if keys_ok == len(keys) else _UNKNOWN)

    def _set(self, keys: Iterable[int], state: int) -> None:
        for key in keys:
            self._states[key] = state
