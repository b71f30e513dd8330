"""The fs adapter of LMCache, with each store and load made longer by a known share of its own time.

A thread waits, and not the event loop: asyncio.sleep() takes up to a millisecond longer. The adapter that is
not slower waits for 0 s in the same way, so that both differ by the share alone.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig


class StretchedFSConfig(FSL2AdapterConfig):  # type: ignore[misc]
    """The fields of the fs adapter, and ``stretch``: 0.1 makes each store and load take 10 % longer."""

    stretch = 0.0

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> StretchedFSConfig:
        config = super().from_dict({name: value for name, value in d.items() if name != "stretch"})
        config.stretch = float(d["stretch"])
        return config


class StretchedFS(FSL2Adapter):  # type: ignore[misc]
    """Completes a task later: its time since the submit, times 1 + ``stretch``."""

    config_class_name = "StretchedFSConfig"

    def __init__(self, config: StretchedFSConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        self._stretch = config.stretch
        self._waiting = ThreadPoolExecutor(16)

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        return self._submit(self._execute_store, self._completed_store_tasks, self._store_efd, keys, objects)

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        return self._submit(self._execute_load, self._completed_load_tasks, self._load_efd, keys, objects)

    def pop_completed_store_tasks(self) -> dict[int, Any]:
        with self._lock:
            visible = [task_id for task_id in self._completed_store_tasks if task_id >= 0]
            return {task_id: self._completed_store_tasks.pop(task_id) for task_id in visible}

    def _submit(self, execute: Any, completed: dict[int, Any], event: Any, keys: Any, objects: Any) -> int:
        with self._lock:
            task_id = self._get_next_task_id()
        began_s = time.perf_counter()

        async def stretched() -> None:
            # The result is kept under an id that nobody asks for until the time has passed.
            hidden = -1 - task_id
            await execute(keys, objects, hidden)
            left_s = self._stretch * (time.perf_counter() - began_s)
            await self._loop.run_in_executor(self._waiting, time.sleep, left_s)
            with self._lock:
                completed[task_id] = completed.pop(hidden)
            event.notify()

        asyncio.run_coroutine_threadsafe(stretched(), self._loop)
        return int(task_id)
