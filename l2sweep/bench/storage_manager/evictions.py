"""Remember which keys LMCache deletes in an L2 adapter by itself: those that its eviction chose."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.internal_api import L2AdapterListener

# Between a deletion and its notification there are a few lines of the adapter. Not measured: a choice.
_NOTIFICATION_S = 0.2
_PAUSE_S = 0.001


class Evictions(L2AdapterListener):  # type: ignore[misc, unused-ignore]
    """The evicted keys of one L2 adapter.

    An adapter notifies every deletion. Those that l2sweep asks for are announced before, and do not count.

    Args:
        can_evict: Whether the spec has an eviction policy that deletes keys.
    """

    def __init__(self, can_evict: bool) -> None:
        self._can_evict = can_evict
        self._lock = threading.Lock()
        self._evicted: set[ObjectKey] = set()
        self._own: set[ObjectKey] = set()

    def will_delete(self, keys: Sequence[ObjectKey]) -> None:
        """Announce that l2sweep deletes keys itself."""
        with self._lock:
            self._own.update(keys)

    def of(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        """Return those of some keys that are evicted."""
        with self._lock:
            return self._evicted.intersection(keys)

    def of_missing(self, keys: Sequence[ObjectKey]) -> set[ObjectKey]:
        """Return those of some keys that are evicted. The notification of one may still be on its way.

        Args:
            keys: Keys of which a load or lookup did not find the first one.
        """
        deadline = time.monotonic() + _NOTIFICATION_S
        while not (found := self.of(keys)) and self._can_evict and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        return found

    def on_l2_keys_stored(self, keys: list[ObjectKey], sizes: list[int]) -> None:
        """Forget what became of keys before they were stored."""
        with self._lock:
            self._evicted.difference_update(keys)
            self._own.difference_update(keys)

    def on_l2_keys_accessed(self, keys: list[ObjectKey]) -> None:
        """Ignore loads."""

    def on_l2_keys_deleted(self, keys: list[ObjectKey]) -> None:
        """Keep the keys that l2sweep did not delete."""
        with self._lock:
            self._evicted.update(key for key in keys if key not in self._own)
