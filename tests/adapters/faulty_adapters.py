"""Adapters with one fault each, loaded through the ``plugin`` type of LMCache. LMCache itself is real.

They keep their data as the ``fs`` adapter does. A fault applies to the submits whose numbers, counted from 1
within its phase, are in the file ``fault_at`` next to the adapter's folder, or in the environment variable
``FAULT_AT`` (several: ``2,3``).
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from lmcache.lmcache_native import Bitmap
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig

from l2sweep.bench import clock

__all__ = ["FSL2AdapterConfig"]


class _Faulty(FSL2Adapter):
    config_class_name = "FSL2AdapterConfig"

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        given = Path(str(config.base_path)).parent / "fault_at"
        text = given.read_text() if given.exists() else os.environ.get("FAULT_AT", "1")
        self._fault_at = {int(number) for number in text.split(",")}
        self._submits = 0

    def _is_faulty_submit(self) -> bool:
        self._submits += 1
        return self._submits in self._fault_at


class _Losing(_Faulty):
    """Base of adapters that never complete a submit: it counts as lost after 0.5 s instead of 5 s."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        clock.LATE_GRACE_S = 0.5


class CrashingStore(_Faulty):
    """Ends its process with SIGSEGV."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().submit_store_task(keys, objects)


class CrashingStoreHangingDelete(CrashingStore):
    """Ends its process with SIGSEGV, and does not return from a delete."""

    def delete(self, keys: Any) -> None:
        time.sleep(3600)


class LingeringStore(_Faulty):
    """Closes all its pipes, which ends its messages, and exits 3 s later."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            os.closerange(3, 256)
            time.sleep(3)
            os._exit(1)
        return super().submit_store_task(keys, objects)


class HangingStore(_Faulty):
    """Does not return from a store."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            time.sleep(3600)
        return super().submit_store_task(keys, objects)


class StubbornStore(_Faulty):
    """Does not return from a store, and ignores SIGTERM."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(3600)
        return super().submit_store_task(keys, objects)


class LostFolder(_Faulty):
    """Loses its folder before a store. LMCache's adapter logs the error, and reports a failed store."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._folder = Path(str(config.base_path))

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            shutil.rmtree(self._folder)
        return super().submit_store_task(keys, objects)


class RaisingStore(_Faulty):
    """Raises an error in a store."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            raise RuntimeError("the disk is on fire")
        return super().submit_store_task(keys, objects)


class FailingDirectWrites(_Faulty):
    """Cannot write with O_DIRECT, logs that, and reports a failed store: LMCache issue 4364."""

    def _write_with_odirect(self, *_: Any) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


class VisibleFailedStore(_Faulty):
    """Reports a store as failed that wrote its files, so that lookups find the keys: LMCache issue 4991."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        for key, memory_object in zip(keys, objects, strict=True):
            Path(self._key_to_path(key)).write_bytes(memory_object.byte_array)
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(False, 0)
        self._store_efd.notify()


class LateStore(_Faulty):
    """Completes a store 1.2 s late."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._is_faulty_submit():
            await asyncio.sleep(1.2)
        await super()._execute_store(keys, objects, task_id)


class LostStore(_Losing):
    """Accepts a store and never completes it."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        if not self._is_faulty_submit():
            await super()._execute_store(keys, objects, task_id)


class DyingThread(_Losing):
    """Stores in a new thread, which ends with an error."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if not self._is_faulty_submit():
            return super().submit_store_task(keys, objects)

        def store() -> None:
            raise RuntimeError("the worker is out of luck")

        threading.Thread(target=store, name="store-worker").start()
        return 1 << 40  # the id of a task that never completes


class NeverDeleting(_Faulty):
    """Cannot delete keys, like an adapter that does not override ``delete``."""

    delete = L2AdapterInterface.delete


def report_all_loaded(adapter: FSL2Adapter, num_keys: int, task_id: int) -> None:
    """Complete a load as if all its keys were loaded."""
    bitmap = Bitmap(num_keys)
    for position in range(num_keys):
        bitmap.set(position)
    with adapter._lock:
        adapter._completed_load_tasks[task_id] = bitmap
    adapter._load_efd.notify()


class LyingLoad(_Faulty):
    """Reports that it loaded all keys, and writes no byte."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._is_faulty_submit():
            report_all_loaded(self, len(keys), task_id)
        else:
            await super()._execute_load(keys, objects, task_id)


class FlippedByte(_Faulty):
    """Changes byte 70,000 of the second key of a load."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._is_faulty_submit():
            path = self._key_to_path(keys[1])
            content = bytearray(path.read_bytes())
            content[70_000] ^= 1
            path.write_bytes(content)
        await super()._execute_load(keys, objects, task_id)


class LockCounting(_Faulty):
    """Prints on standard error how many locks are left when it is closed."""

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


class GrowingStore(_Faulty):
    """Allocates memory in a store without end."""

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        taken = []
        while self._is_faulty_submit() or taken:
            taken.append(b"x" * 2**25)
            time.sleep(0.02)
        return super().submit_store_task(keys, objects)
