"""Adapters whose stores succeed and whose loads do not, loaded through the ``plugin`` type of LMCache.

The fault applies to the loads whose numbers are in ``fault_at``, see ``faulty_adapters``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from faulty_adapters import FSL2AdapterConfig, _Faulty

__all__ = ["FSL2AdapterConfig"]


class WrongBytes(_Faulty):
    """Loads the second key of a submit from a file whose first byte changed."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._is_faulty_submit():
            path = self._key_to_path(keys[1])
            content = bytearray(path.read_bytes())
            content[0] ^= 1
            path.write_bytes(content)
        await super()._execute_load(keys, objects, task_id)


class MissingKey(_Faulty):
    """Does not find the second key of a load, and reports so."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._is_faulty_submit():
            self._key_to_path(keys[1]).unlink()
        await super()._execute_load(keys, objects, task_id)


class CrashingLoad(_Faulty):
    """Ends its process with SIGSEGV in a load."""

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().submit_load_task(keys, objects)


class RaisingLoad(_Faulty):
    """Raises an error in a load."""

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        if self._is_faulty_submit():
            raise RuntimeError("the network is on fire")
        return super().submit_load_task(keys, objects)


class LateLoad(_Faulty):
    """Completes a load 0.8 s late."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if self._is_faulty_submit():
            await asyncio.sleep(0.8)
        await super()._execute_load(keys, objects, task_id)
