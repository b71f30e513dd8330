"""LMCache's storage manager with the interface of an adapter, so that one phase measures both."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.storage_manager import StorageManager
from lmcache.v1.memory_management import MemoryObj

from l2sweep.bench.adapter.create import innermost
from l2sweep.bench.adapter.verbs import Load, Verb
from l2sweep.bench.control.timer import Timer
from l2sweep.bench.storage_manager.evictions import Evictions
from l2sweep.bench.storage_manager.l1 import L1
from l2sweep.bench.storage_manager.prefetches import Prefetches
from l2sweep.bench.storage_manager.sources import LoadSources
from l2sweep.bench.storage_manager.stores import ManagedStore, StoreWatch

_LOOK_EVERY_S = 0.002


@dataclass(frozen=True)
class Shared:
    """What the adapters of one storage manager share.

    Attributes:
        l1: Its L1.
        stores: Watches its stores.
        prefetches: Its prefetches.
        sources: From which adapter each key was loaded.
        own_verbs: The verbs that measure it, by their name.
    """

    l1: L1
    stores: StoreWatch
    prefetches: Prefetches
    sources: LoadSources
    own_verbs: Mapping[str, type[Verb]]


class ManagedAdapter(L2AdapterInterface):  # type: ignore[misc, unused-ignore]
    """An L2 adapter behind the storage manager, which may have several.

    A store is ``finish_write`` of keys that are in L1 already. A load is a prefetch into L1. A lookup, which
    only checks need, goes to the adapter itself. The prefetch controller uses up the signals of its
    descriptor, so a timer signals instead, and the answer is queried every 2 ms.

    Args:
        manager: The storage manager.
        number: Number of the adapter, from 0. Lookups and deletions concern this one; stores and loads are
            those of the storage manager.
        evictions: The keys of this adapter that LMCache evicted.
        shared: What the adapters of the storage manager share.

    Attributes:
        class_name: Name of the class of the adapter.
        l1: The L1.
        evictions: The keys of this adapter that LMCache evicted.
        sources: From which adapter each key was loaded.
        parts: All adapters of the storage manager, in their order.
        own_verbs: The verbs that measure it, by their name.
        has_serde: Whether a serde is between L1 and L2.
        shares_l1: Whether stores and loads are in flight together, so that L1 is never free.
    """

    def __init__(
        self,
        manager: StorageManager,
        number: int,
        evictions: Evictions,
        shared: Shared,
    ) -> None:
        super().__init__()
        descriptor, self._inner = manager.l2_adapters()[number]
        self.class_name = type(innermost(self._inner)).__name__
        self.evictions = evictions
        self.has_serde = descriptor.config.serde_config is not None
        self.shares_l1 = False
        self.l1 = shared.l1
        self.sources = shared.sources
        self.own_verbs = shared.own_verbs
        self.parts: tuple[ManagedAdapter, ...] = (self,)
        self._manager = manager
        self._stores = shared.stores
        self._prefetches = shared.prefetches
        self._lookups = _Polled(
            self._inner.submit_lookup_and_lock_task, self._inner.query_lookup_and_lock_result
        )

    def get_store_event_fd(self) -> int:
        """Return the descriptor that becomes readable when the store controller has finished a submit."""
        return self._stores.fileno()

    def get_lookup_and_lock_event_fd(self) -> int:
        """Return the descriptor of the timer, which is readable every 2 ms while a lookup is in flight."""
        return self._lookups.fileno()

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
        return self._lookups.submit(keys, group_layout_descs)

    def query_lookup_and_lock_result(self, task_id: int) -> Any:
        """Return the result of a lookup that has completed, once; otherwise None."""
        return self._lookups.query(task_id)

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
        self.evictions.will_delete(keys)
        self._inner.delete(keys)

    def evicted_anywhere(self, missing: Sequence[ObjectKey]) -> set[ObjectKey]:
        """Return those of some keys that LMCache evicted in any adapter.

        A key that is evicted between its lookup and its load is missing, although another adapter has it:
        LMCache does not ask again.

        Args:
            missing: Keys of which a load did not find the first one.
        """
        return set().union(*(one.evictions.of_missing(missing) for one in self.parts))

    def close(self) -> None:
        """End the prefetches and the storage manager, which closes all its adapters."""
        self._prefetches.close()
        self._manager.close()
        self._stores.close()
        for part in self.parts:
            part.close_own()

    def close_own(self) -> None:
        """Close what belongs to this adapter alone."""
        self._lookups.close()


class FurtherAdapter(ManagedAdapter):
    """An L2 adapter behind the first one, from which the storage manager loads only what that one lacks.

    A load, which only checks need, goes to the adapter itself, as a lookup does.

    Args:
        manager: As for :class:`ManagedAdapter`, as are the others.
        number: From 1.
        evictions: Its evicted keys.
        shared: What the adapters share.
    """

    def __init__(self, manager: StorageManager, number: int, evictions: Evictions, shared: Shared) -> None:
        super().__init__(manager, number, evictions, shared)
        self.own_verbs = {**shared.own_verbs, "load": Load}
        self._loads = _Polled(self._inner.submit_load_task, self._inner.query_load_result)

    def get_load_event_fd(self) -> int:
        """Return the descriptor of the timer, which is readable every 2 ms while a load is in flight."""
        return self._loads.fileno()

    def submit_load_task(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> int:
        """Load keys from this adapter."""
        return self._loads.submit(keys, objects)

    def query_load_result(self, task_id: int) -> Any:
        """Return the result of a load that has completed, once; otherwise None."""
        return self._loads.query(task_id)

    def close_own(self) -> None:
        """Close what belongs to this adapter alone."""
        super().close_own()
        self._loads.close()


class _Polled:
    """Tasks of an adapter whose signals a controller uses up: a timer signals while one is in flight.

    Args:
        submit: Submits a task.
        query: Returns the result of a completed task, once; otherwise None.
    """

    def __init__(self, submit: Callable[..., int], query: Callable[[int], Any]) -> None:
        self._submit = submit
        self._query = query
        self._timer = Timer()
        self._in_flight = 0

    def fileno(self) -> int:
        return self._timer.fileno()

    def submit(self, *arguments: Any) -> int:
        self._in_flight += 1
        self._timer.set(time.perf_counter() + _LOOK_EVERY_S, _LOOK_EVERY_S)
        return int(self._submit(*arguments))

    def query(self, task_id: int) -> Any:
        result = self._query(task_id)
        if result is not None:
            self._in_flight -= 1
            if not self._in_flight:
                self._timer.set(None)
        return result

    def close(self) -> None:
        self._timer.close()
