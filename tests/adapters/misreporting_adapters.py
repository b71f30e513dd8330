"""Adapters that report something else than what they did, loaded through the ``plugin`` type of LMCache.

They keep their data as the ``fs`` adapter does, and each misreports in one way, in every submit. LMCache
itself is real.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lmcache.lmcache_native import Bitmap
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig
from numpy.typing import NDArray

from l2sweep.bench.checks import stored_keys

__all__ = ["FSL2AdapterConfig"]

_PAGE_BYTES = 4096
_DELAY_S = 0.05


class _Misreporting(FSL2Adapter):
    config_class_name = "FSL2AdapterConfig"

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        stored_keys._SETTLE_S = 0.3  # the verdict on lost keys comes after 0.3 s instead of 1 s

    def is_stored(self, key: Any) -> bool:
        return bool(self._key_to_path(key).exists())

    def bytes_of(self, key: Any) -> NDArray[np.uint8]:
        return np.fromfile(self._key_to_path(key), dtype=np.uint8)

    def path_of(self, key: Any) -> Path:
        return Path(self._key_to_path(key))

    def report_lookup(self, task_id: int, found: Sequence[bool]) -> None:
        with self._lock:
            self._completed_lookup_tasks[task_id] = _bitmap(found)
        self._lookup_efd.notify()

    def report_load(self, task_id: int, num_keys: int) -> None:
        with self._lock:
            self._completed_load_tasks[task_id] = _bitmap([True] * num_keys)
        self._load_efd.notify()

    def report_store(self, task_id: int, num_bytes: int) -> None:
        with self._lock:
            self._completed_store_tasks[task_id] = L2StoreResult(True, num_bytes)
        self._store_efd.notify()


def _bitmap(bits: Sequence[bool]) -> Any:
    bitmap = Bitmap(len(bits))
    for position, bit in enumerate(bits):
        if bit:
            bitmap.set(position)
    return bitmap


def _memory(memory_object: Any) -> NDArray[np.uint8]:
    return np.frombuffer(memory_object.byte_array, dtype=np.uint8)


# Lookups


class _WrongLookup(_Misreporting):
    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        self.report_lookup(task_id, self.found([self.is_stored(key) for key in keys]))

    def found(self, stored: list[bool]) -> list[bool]:
        """Return what is reported for keys of which these are stored."""
        raise NotImplementedError


class InvertedLookup(_WrongLookup):
    """Denies stored keys and claims missing ones where a lookup has both: with half of each, as many."""

    def found(self, stored: list[bool]) -> list[bool]:
        return [not one for one in stored] if len(set(stored)) == 2 else stored


class ShiftedLookup(_WrongLookup):
    """Reports the result of each key for the key behind it."""

    def found(self, stored: list[bool]) -> list[bool]:
        return [stored[-1], *stored[:-1]]


class LookupOfEverything(_WrongLookup):
    """Claims every key."""

    def found(self, stored: list[bool]) -> list[bool]:
        return [True] * len(stored)


class LookupOfOneMore(_WrongLookup):
    """Claims one key that is not stored, beside those that are."""

    def found(self, stored: list[bool]) -> list[bool]:
        return [*stored[:-1], True]


class LookupOfFirstKey(_WrongLookup):
    """Reports the result of the first key of a submit for all its keys."""

    def found(self, stored: list[bool]) -> list[bool]:
        return [stored[0]] * len(stored)


class LookupOfLastKey(_WrongLookup):
    """Reports the result of the last key of a submit for all its keys."""

    def found(self, stored: list[bool]) -> list[bool]:
        return [stored[-1]] * len(stored)


class LookupOfNothing(_WrongLookup):
    """Denies every key."""

    def found(self, stored: list[bool]) -> list[bool]:
        return [False] * len(stored)


# Loads: all report every key as loaded


class _WrongLoad(_Misreporting):
    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        for position in range(len(keys)):
            self.load_one(position, list(keys), [_memory(one) for one in objects])
        self.report_load(task_id, len(keys))

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        """Write something into the memory of a key."""
        raise NotImplementedError


class LoadsNothing(_WrongLoad):
    """Writes no byte."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        return


class LoadsInverted(_WrongLoad):
    """Inverts the memory: the payload, if the memory held its complement."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        np.invert(memory[position], out=memory[position])


class LoadsHalfOfTheKeys(_WrongLoad):
    """Loads every second key."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        if position % 2:
            memory[position][:] = self.bytes_of(keys[position])


class LoadsHalfOfEachKey(_WrongLoad):
    """Loads the first half of each key."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        half = memory[position].size // 2
        memory[position][:half] = self.bytes_of(keys[position])[:half]


class LoadsFirstPage(_WrongLoad):
    """Loads the first page of each key."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:_PAGE_BYTES] = self.bytes_of(keys[position])[:_PAGE_BYTES]


class LoadsAllButOnePage(_WrongLoad):
    """Loads each key without its last page."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:-_PAGE_BYTES] = self.bytes_of(keys[position])[:-_PAGE_BYTES]


class LoadsAllButTheLastWord(_WrongLoad):
    """Reads 8 bytes too few of each key."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:-8] = self.bytes_of(keys[position])[:-8]


class LoadsKeyOfNextPosition(_WrongLoad):
    """Loads each key into the memory of the key before it."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:] = self.bytes_of(keys[(position + 1) % len(keys)])


class LoadsFirstKeyEverywhere(_WrongLoad):
    """Loads the first key of a submit into the memory of all its keys."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:] = self.bytes_of(keys[0])


class LoadsZeros(_WrongLoad):
    """Writes zeros."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:] = 0


class LoadsOneByteEverywhere(_WrongLoad):
    """Writes the first byte of each key everywhere."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:] = self.bytes_of(keys[position])[0]


class LoadsMovedByAPage(_WrongLoad):
    """Loads each page of a key into the place of the next page."""

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        memory[position][:] = np.roll(self.bytes_of(keys[position]), _PAGE_BYTES)


class LoadsPreviousRound(_WrongLoad):
    """Writes the bytes that it should have written a round earlier."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._previous: dict[int, NDArray[np.uint8]] = {}

    def load_one(self, position: int, keys: list[Any], memory: list[NDArray[np.uint8]]) -> None:
        loaded = self.bytes_of(keys[position])
        memory[position][:] = self._previous.get(position, loaded)
        self._previous[position] = loaded


class LoadsLate(_Misreporting):
    """Completes a load at once, and copies the bytes 50 ms later."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        self.report_load(task_id, len(keys))
        await asyncio.sleep(_DELAY_S)
        for key, one in zip(keys, objects, strict=True):
            _memory(one)[:] = self.bytes_of(key)


class LoadsLastKeyLate(_Misreporting):
    """Completes a load when all keys but the last are loaded, and copies that one 50 ms later."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        for key, one in list(zip(keys, objects, strict=True))[:-1]:
            _memory(one)[:] = self.bytes_of(key)
        self.report_load(task_id, len(keys))
        await asyncio.sleep(_DELAY_S)
        _memory(objects[-1])[:] = self.bytes_of(keys[-1])


class LoadsEarlyWhileOthersRun(_Misreporting):
    """Completes the first of two loads at once, and copies its bytes just before it completes the second one.

    With two submits in flight, all bytes are there at the end of a round.
    """

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._held: list[tuple[Any, Any]] = []

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        pairs = list(zip(keys, objects, strict=True))
        if not self._held:
            self._held = pairs
            self.report_load(task_id, len(keys))
            return
        await asyncio.sleep(_DELAY_S)
        for key, one in [*self._held, *pairs]:
            _memory(one)[:] = self.bytes_of(key)
        self._held = []
        self.report_load(task_id, len(keys))


class LoadsLastKeyEarlyWhileOthersRun(LoadsEarlyWhileOthersRun):
    """The same, but only for the last key of the first load. Its other keys are loaded when it completes."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        if not self._held:
            for key, one in list(zip(keys, objects, strict=True))[:-1]:
                _memory(one)[:] = self.bytes_of(key)
        await super()._execute_load(keys, objects, task_id)


# Stores: all report the bytes of every key as moved


class _WrongStore(_Misreporting):
    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        memory = [_memory(one) for one in objects]
        for position, key in enumerate(keys):
            self.store_one(position, key, memory[position])
        self.report_store(task_id, sum(one.size for one in memory))

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        """Store something for a key."""
        raise NotImplementedError


class StoresNothing(_WrongStore):
    """Stores no key."""

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        return


class StoresFirstKey(_WrongStore):
    """Stores the first key of a submit."""

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        if position == 0:
            memory.tofile(self.path_of(key))


class StoresAllButTheLastKey(_WrongStore):
    """Stores the keys of a submit without its last."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._last = 0

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        self._last = len(keys) - 1
        await super()._execute_store(keys, objects, task_id)

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        if position != self._last:
            memory.tofile(self.path_of(key))


class StoresHolesBeforeTheLastKey(StoresAllButTheLastKey):
    """Stores the last key of a submit, and a file of the right size without content for each other key."""

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        if position == self._last:
            memory.tofile(self.path_of(key))
            return
        with self.path_of(key).open("wb") as file:
            file.truncate(memory.nbytes)


class StoresWrongBytes(_WrongStore):
    """Stores each key with all bits inverted."""

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        np.invert(memory).tofile(self.path_of(key))


class StoresZeros(_WrongStore):
    """Stores zeros."""

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        np.zeros_like(memory).tofile(self.path_of(key))


class StoresFirstPage(_WrongStore):
    """Stores the first page of each key, and a hole behind it."""

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        with self.path_of(key).open("wb") as file:
            file.write(memory[:_PAGE_BYTES])
            file.truncate(memory.size)


class StoresEmptyFiles(_WrongStore):
    """Stores an empty file for each key: a lookup finds it, and a load of it fails."""

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        self.path_of(key).touch()


class StoresEmptyFilesLoadsInverted(StoresEmptyFiles):
    """Stores an empty file for each key, and inverts the memory of a load."""

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        for memory in map(_memory, objects):
            np.invert(memory, out=memory)
        self.report_load(task_id, len(keys))


class StoresReferences(_WrongStore):
    """Keeps a reference to the memory of each key, and loads what is in it then."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._kept: dict[Any, NDArray[np.uint8]] = {}

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        self._kept[key] = memory

    def is_stored(self, key: Any) -> bool:
        return key in self._kept

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        self.report_lookup(task_id, [self.is_stored(key) for key in keys])

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        for key, one in zip(keys, objects, strict=True):
            if key in self._kept:
                _memory(one)[:] = self._kept[key]
        self.report_load(task_id, len(keys))

    def delete(self, keys: Any) -> None:
        for key in keys:
            self._kept.pop(key, None)


class StoresLate(_Misreporting):
    """Completes a store at once, and reads the memory of its keys 50 ms later."""

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        memory = [_memory(one) for one in objects]
        self.report_store(task_id, sum(one.size for one in memory))
        await asyncio.sleep(_DELAY_S)
        for key, one in zip(keys, memory, strict=True):
            one.tofile(self.path_of(key))


class StoresEarlyWhileOthersRun(_Misreporting):
    """Completes the first of two stores at once, and reads its memory just before it completes the second."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._held: list[tuple[Any, NDArray[np.uint8]]] = []

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        pairs = [(key, _memory(one)) for key, one in zip(keys, objects, strict=True)]
        num_bytes = sum(one.size for _, one in pairs)
        if not self._held:
            self._held = pairs
            self.report_store(task_id, num_bytes)
            return
        await asyncio.sleep(_DELAY_S)
        for key, one in [*self._held, *pairs]:
            one.tofile(self.path_of(key))
        self._held = []
        self.report_store(task_id, num_bytes)


class BelievesItStored(StoresNothing):
    """Stores nothing, finds every key that it should have stored, and loads nothing."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._claimed: set[Any] = set()

    def store_one(self, position: int, key: Any, memory: NDArray[np.uint8]) -> None:
        self._claimed.add(key)

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        self.report_lookup(task_id, [key in self._claimed for key in keys])

    async def _execute_load(self, keys: Any, objects: Any, task_id: int) -> None:
        self.report_load(task_id, len(keys))

    def delete(self, keys: Any) -> None:
        self._claimed -= set(keys)


class SlowLookup(_Misreporting):
    """No fault: looks up each key in 20 ms."""

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        await asyncio.sleep(0.02 * len(keys))
        self.report_lookup(task_id, [self.is_stored(key) for key in keys])


class StoresVisibleLater(_Misreporting):
    """No fault: completes a store correctly, and lookups find its keys 50 ms later."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._visible_at = 0.0

    async def _execute_store(self, keys: Any, objects: Any, task_id: int) -> None:
        await super()._execute_store(keys, objects, task_id)
        self._visible_at = self._loop.time() + _DELAY_S

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        is_visible = self._loop.time() >= self._visible_at
        self.report_lookup(task_id, [is_visible and self.is_stored(key) for key in keys])


# Deletion


class DeletesNothing(_Misreporting):
    """Returns from a delete without deleting."""

    def delete(self, keys: Any) -> None:
        return


class DeletesHalf(_Misreporting):
    """Never deletes every second key, however often it is asked to."""

    def delete(self, keys: Any) -> None:
        super().delete([key for key in keys if key.chunk_hash[-1] % 2])


class DeletesLate(_Misreporting):
    """No fault: deletes 50 ms after a delete has returned."""

    def delete(self, keys: Any) -> None:
        self._loop.call_soon_threadsafe(self._loop.call_later, _DELAY_S, self._remove, list(keys))

    def _remove(self, keys: list[Any]) -> None:
        for key in keys:
            self.path_of(key).unlink(missing_ok=True)


class BreaksItsCircuit(_Misreporting):
    """Deletes and finds nothing from its first deletion on, and reports no error, as s3 without its server.

    A file ``closed`` in its folder ends that.
    """

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._is_closed = (Path(str(config.base_path)) / "closed").exists()
        self._is_open = False

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        if self._is_open:
            raise ConnectionError("the connection is circuit-broken")
        return int(super().submit_store_task(keys, objects))

    async def _execute_lookup(self, keys: Any, task_id: int) -> None:
        self.report_lookup(task_id, [not self._is_open and self.is_stored(key) for key in keys])

    def delete(self, keys: Any) -> None:
        self._is_open = not self._is_closed
        if not self._is_open:
            super().delete(keys)
