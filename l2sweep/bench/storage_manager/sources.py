"""From which L2 adapter the prefetch controller of LMCache loaded each key, where there are several.

It loads a key from the first adapter whose lookup finds it (``DefaultPrefetchPolicy.plan_load``). Its result
does not name the adapter, so its calls of the adapters are observed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface


class LoadSources:
    """The adapters that loaded keys.

    Args:
        adapters: The adapters that the prefetch controller calls. Two of their methods are replaced by ones
            that call them and keep what they get and return. One adapter alone is not observed.
    """

    def __init__(self, adapters: Sequence[L2AdapterInterface]) -> None:
        self._lock = threading.Lock()
        self._number_of_key: dict[ObjectKey, int] = {}
        self._count = len(adapters)
        if self._count > 1:
            for number, adapter in enumerate(adapters):
                self._observe(number, adapter)

    def take(self, keys: Sequence[ObjectKey]) -> tuple[int, ...]:
        """Return how many of some loaded keys came from each adapter, once; empty if there is only one.

        Args:
            keys: Keys that a prefetch loaded.
        """
        if self._count == 1:
            return ()
        with self._lock:
            numbers = [self._number_of_key.pop(key) for key in keys if key in self._number_of_key]
        return tuple(numbers.count(number) for number in range(self._count))

    def _observe(self, number: int, adapter: L2AdapterInterface) -> None:
        keys_of_task: dict[int, list[ObjectKey]] = {}
        submit_task, query_result = adapter.submit_load_task, adapter.query_load_result

        # These run in the thread of the prefetch controller, within the clock.
        def observed_submit(keys: list[ObjectKey], objects: list[Any]) -> int:
            task_id: int = submit_task(keys, objects)
            keys_of_task[task_id] = keys
            return task_id

        def observed_query(task_id: int) -> Any:
            result = query_result(task_id)
            keys = keys_of_task.pop(task_id, []) if result is not None else []
            if keys:
                with self._lock:
                    self._number_of_key.update(dict.fromkeys(result.gather(keys), number))
            return result

        observed: Any = adapter
        observed.submit_load_task = observed_submit
        observed.query_load_result = observed_query
