"""Submit prefetches to LMCache's storage manager, and signal their completion on a descriptor.

The storage manager has no descriptor for prefetches. A thread waits for each one in ``wait_prefetch_status``,
as a handler of LMCache's server does.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Sequence
from typing import Any

from lmcache.v1.distributed.api import (
    GroupedObjectKeys,
    MemoryLayoutDesc,
    ObjectKey,
    PrefetchHandle,
    PrefetchTaskSpec,
)
from lmcache.v1.distributed.storage_manager import StorageManager

_LOOK_EVERY_S = 1.0  # how long a thread may live after close()
_GROUP = 0


class Prefetches:
    """The prefetches of one storage manager.

    Args:
        manager: The storage manager.
        layout: The layout of each key in L1.
        most: The most prefetches that are in flight together: there are as many threads.
    """

    def __init__(self, manager: StorageManager, layout: MemoryLayoutDesc, most: int) -> None:
        self._manager = manager
        self._layout = layout
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._handles: dict[int, PrefetchHandle] = {}
        self._done: set[int] = set()
        self._to_wait_for: queue.SimpleQueue[PrefetchHandle | None] = queue.SimpleQueue()
        self._is_closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._wait, name=f"prefetch-{number}", daemon=True)
            for number in range(most)
        ]
        for thread in self._threads:
            thread.start()

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a prefetch completes."""
        return self._descriptor

    def submit(self, keys: Sequence[ObjectKey]) -> int:
        """Submit a prefetch of keys from L2 into L1, and return its id."""
        group = GroupedObjectKeys(list(keys), _GROUP, self._layout)
        handle = self._manager.submit_prefetch_task(PrefetchTaskSpec([group]))
        self._handles[handle.prefetch_request_id] = handle
        self._to_wait_for.put(handle)
        return int(handle.prefetch_request_id)

    def query(self, task_id: int) -> Any:
        """Return the result of a prefetch that has completed, once; otherwise None."""
        if task_id not in self._done:  # else its thread would wait for a result that is gone
            return None
        self._done.remove(task_id)
        return self._manager.query_prefetch_status(self._handles.pop(task_id))

    def close(self) -> None:
        """End the threads, and close the descriptor."""
        self._is_closed.set()
        for _ in self._threads:
            self._to_wait_for.put(None)
        for thread in self._threads:
            thread.join()
        os.close(self._descriptor)

    def _wait(self) -> None:
        while (handle := self._to_wait_for.get()) is not None:
            while not self._is_closed.is_set():
                if self._manager.wait_prefetch_status(handle, _LOOK_EVERY_S):
                    self._done.add(handle.prefetch_request_id)
                    os.eventfd_write(self._descriptor, 1)
                    break
