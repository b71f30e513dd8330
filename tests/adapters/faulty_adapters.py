"""Adapters with one fault each, loaded through LMCache's own ``plugin`` type: LMCache itself is real.

They keep their data as the ``fs`` adapter does. A fault strikes the submits whose number, counted from 1
for each operation, stands in the environment variable ``FAULT_AT`` (several: ``2,3``).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig

__all__ = ["FSL2AdapterConfig"]


class _Faulty(FSL2Adapter):
    config_class_name = "FSL2AdapterConfig"

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        self._fault_at = {int(number) for number in os.environ.get("FAULT_AT", "1").split(",")}
        self._submits = 0

    def _strikes(self) -> bool:
        self._submits += 1
        return self._submits in self._fault_at


class CrashingStore(_Faulty):
    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._strikes():
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().submit_store_task(keys, objects)


class CrashingStoreHangingDelete(CrashingStore):
    def delete(self, keys: Any) -> None:
        time.sleep(3600)


class LingeringStore(_Faulty):
    """Falls silent, its messages included, and stays."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._strikes():
            os.closerange(3, 256)
            time.sleep(3600)
        return super().submit_store_task(keys, objects)


class HangingStore(_Faulty):
    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._strikes():
            time.sleep(3600)
        return super().submit_store_task(keys, objects)


class RaisingStore(_Faulty):
    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._strikes():
            raise RuntimeError("the disk is on fire")
        return super().submit_store_task(keys, objects)


class LateStore(_Faulty):
    """Stores 1.2 s late."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._strikes():
            import asyncio

            await asyncio.sleep(1.2)
        await super()._execute_store(keys, objects, task_id)


class LostStore(_Faulty):
    """Takes a store and never completes it."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        if not self._strikes():
            await super()._execute_store(keys, objects, task_id)


class NeverDeleting(_Faulty):
    delete = L2AdapterInterface.delete


class LyingLoad(_Faulty):
    """Says that it loaded, and writes nothing."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if not self._strikes():
            await super()._execute_load(keys, objects, task_id)
            return
        from lmcache.lmcache_native import Bitmap

        bitmap = Bitmap(len(keys))
        for position in range(len(keys)):
            bitmap.set(position)
        with self._lock:
            self._completed_load_tasks[task_id] = bitmap
        self._load_efd.notify()


class FlippedByte(_Faulty):
    """Changes byte 70,000 of the second key of a load."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._strikes():
            path = self._key_to_path(keys[1])
            content = bytearray(path.read_bytes())
            content[70_000] ^= 1
            path.write_bytes(content)
        await super()._execute_load(keys, objects, task_id)


class LockCounting(_Faulty):
    """Says on standard error how many locks are left when it is closed."""

    locks = 0

    def query_lookup_and_lock_result(self, task_id: int) -> Any:
        bitmap = super().query_lookup_and_lock_result(task_id)
        if bitmap is not None:
            self.locks += bitmap.popcount()
        return bitmap

    def submit_unlock(self, keys: Any) -> None:
        self.locks -= len(keys)

    def close(self) -> None:
        print(f"locks left: {self.locks}", file=sys.stderr)
        super().close()


class StubbornStore(_Faulty):
    """Hangs and does not heed SIGTERM."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._strikes():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(3600)
        return super().submit_store_task(keys, objects)


class DyingThread(_Faulty):
    """Stores in a thread of its own, which dies."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if not self._strikes():
            return super().submit_store_task(keys, objects)

        def store() -> None:
            raise RuntimeError("the worker is out of luck")

        threading.Thread(target=store, name="store-worker").start()
        return 1 << 40  # a task that nobody will complete


class GrowingStore(_Faulty):
    """Takes memory without end."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        taken = []
        while self._strikes() or taken:
            taken.append(b"x" * 2**25)
            time.sleep(0.02)
        return super().submit_store_task(keys, objects)
