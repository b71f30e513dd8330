"""LMCache's fs adapter with one fault, for unit tests in the process of the tests."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from adapters.faulty_adapters import report_all_loaded
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig


class FaultyFs(FSL2Adapter):
    """An adapter over ``folder/kv``, with a fault in some of its tasks.

    Args:
        folder: Folder of the test.
        faulty: Numbers of the stores or loads with the fault, counted from 1.
    """

    def __init__(self, folder: Path, *faulty: int) -> None:
        super().__init__(FSL2AdapterConfig(str(folder / "kv")))
        self._faulty = faulty
        self._tasks = 0

    def is_faulty(self) -> bool:
        """Count a task, and return whether it has the fault."""
        self._tasks += 1
        return self._tasks in self._faulty


class RaisingStore(FaultyFs):
    """Raises an error in a submit."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self.is_faulty():
            raise RuntimeError("the disk is on fire")
        return int(super().submit_store_task(keys, objects))


class LostStore(FaultyFs):
    """Never completes a store."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        if not self.is_faulty():
            await super()._execute_store(keys, objects, task_id)


class HeldStore(FaultyFs):
    """Completes a store only after the test calls ``release``."""

    def __init__(self, folder: Path, *faulty: int) -> None:
        super().__init__(folder, *faulty)
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        if self.is_faulty():
            await asyncio.get_running_loop().run_in_executor(None, self._released.wait)
        await super()._execute_store(keys, objects, task_id)


class LyingLoad(FaultyFs):
    """Reports that it loaded all keys, and writes no byte."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if self.is_faulty():
            report_all_loaded(self, len(keys), task_id)
        else:
            await super()._execute_load(keys, objects, task_id)


class NeverDeleting(FaultyFs):
    """Does not override the method of the base class, which deletes nothing."""

    delete = L2AdapterInterface.delete


class FailingClose(FaultyFs):
    """Closes, and then raises an error."""

    def close(self) -> None:
        super().close()
        raise RuntimeError("already closed")


class LosingLater(FaultyFs):
    """Stores the 12 keys of a small store phase, and only reports that it stores all later ones."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._stored = 0

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        self._stored += len(keys)
        if self._stored <= 12:
            await super()._execute_store(keys, objects, task_id)
        else:
            await self._execute_later_store(keys, objects, task_id)

    async def _execute_later_store(self, keys: Any, objects: Any, task_id: int) -> None:
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(True, sum(one.get_size() for one in objects))
        self._store_efd.notify()


class WrongBytesLater(LosingLater):
    """Stores the 12 keys of a small store phase, and all later ones with the bytes of another key."""

    async def _execute_later_store(self, keys: Any, objects: Any, task_id: int) -> None:
        await FSL2Adapter._execute_store(self, keys, [objects[0]] * len(keys), task_id)
