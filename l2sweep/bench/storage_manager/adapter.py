"""LMCache's storage manager with the interface of an adapter, so that one phase measures both."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.storage_manager import StorageManager
from lmcache.v1.memory_management import MemoryObj

from l2sweep.bench.adapter.create import innermost
from l2sweep.bench.adapter.verbs import Verb
from l2sweep.bench.control.timer import Timer
from l2sweep.bench.storage_manager.l1 import L1
from l2sweep.bench.storage_manager.prefetches import Prefetches
from l2sweep.bench.storage_manager.stores import ManagedStore, StoreWatch

_LOOK_EVERY_S = 0.002


class ManagedAdapter(L2AdapterInterface):  # type: ignore[misc, unused-ignore]
    """An L2 adapter behind the storage manager.

    A store is ``finish_write`` of keys that are in L1 already. A load is a prefetch into L1. A lookup, which
    only checks need, goes to the adapter itself. The prefetch controller uses up the signals of its
    descriptor, so a timer signals instead, and the answer is queried every 2 ms.

    Args:
        manager: The storage manager, with one L2 adapter.
        l1: Its L1.
        stores: Watches its stores.
        prefetches: Its prefetches.
        own_verbs: The verbs that measure it, by their name.

    Attributes:
        class_name: Name of the class of the adapter.
        l1: Its L1.
        has_serde: Whether a serde is between L1 and L2.
        shares_l1: Whether stores and loads are in flight together, so that L1 is never free.
    """

    def __init__(
        self,
        manager: StorageManager,
        l1: L1,
        stores: StoreWatch,
        prefetches: Prefetches,
        own_verbs: Mapping[str, type[Verb]],
    ) -> None:
        super().__init__()
        ((descriptor, self._inner),) = manager.l2_adapters()
        self.class_name = type(innermost(self._inner)).__name__
        self.l1 = l1
        self.has_serde = descriptor.config.serde_config is not None
        self.shares_l1 = False
        self.own_verbs = own_verbs
        self._manager = manager
        self._stores = stores
        self._prefetches = prefetches
        self._lookup_timer = Timer()
        self._lookups = 0

    def get_store_event_fd(self) -> int:
        """Return the descriptor that becomes readable when the store controller has finished a submit."""
        return self._stores.fileno()

    def get_lookup_and_lock_event_fd(self) -> int:
        """Return the descriptor of the timer, which is readable every 2 ms while a lookup is in flight."""
        return self._lookup_timer.fileno()

    def get_load_event_fd(self) -> int:
        """Return the descriptor that becomes readable when a prefetch completes."""
        return self._prefetches.fileno()

    def submit_store_task(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> int:
        """Finish the writes of keys that are in L1, which makes the store controller store them in L2."""
        number = self._stores.expect(keys)
        self._manager.finish_write(keys)
        return number

    def pop_completed_store_tasks(self) -> dict[int, Any]:
        """Return the submits whose stores have completed, see :meth:`store_result`."""
        return self._stores.pop_completed()

    def store_result(self, number: int) -> ManagedStore:
        """Return what became of the keys of a completed store, once."""
        return self._stores.result_of(number)

    def submit_lookup_and_lock_task(self, keys: list[ObjectKey], group_layout_descs: Any) -> int:
        """Look up keys in L2."""
        self._lookups += 1
        self._lookup_timer.set(time.perf_counter() + _LOOK_EVERY_S, _LOOK_EVERY_S)
        return int(self._inner.submit_lookup_and_lock_task(keys, group_layout_descs))

    def query_lookup_and_lock_result(self, task_id: int) -> Any:
        """Return the result of a lookup that has completed, once; otherwise None."""
        result = self._inner.query_lookup_and_lock_result(task_id)
        if result is not None:
            self._lookups -= 1
            if not self._lookups:
                self._lookup_timer.set(None)
        return result

    def submit_unlock(self, keys: list[ObjectKey]) -> None:
        """Unlock keys in L2."""
        self._inner.submit_unlock(keys)

    def get_memory_tags(self) -> Any:
        """Return the tags of the adapter; LMCache 0.5.7 and later ask for them."""
        return self._inner.get_memory_tags()

    def submit_load_task(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> int:
        """Prefetch keys into L1."""
        return self._prefetches.submit(keys)

    def query_load_result(self, task_id: int) -> Any:
        """Return LMCache's ``PrefetchResult`` of a prefetch that has completed, once; otherwise None."""
        return self._prefetches.query(task_id)

    def delete(self, keys: list[ObjectKey]) -> None:
        """Delete keys in L2."""
        self._inner.delete(keys)

    def close(self) -> None:
        """End the prefetches and the storage manager, which closes the adapter."""
        self._prefetches.close()
        self._manager.close()
        self._stores.close()
        self._lookup_timer.close()
