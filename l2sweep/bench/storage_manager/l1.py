"""The keys of a round in LMCache's L1: written before the clock of a store starts, read after that of a load.

The memory of a submit stands for that of a GPU: payload is copied between it and L1 outside the clock. Memory
of L1 is filled with zeros before it is given back. A load that moves nothing then finds no payload there.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence

import numpy as np
import torch
from lmcache.v1.distributed.api import MemoryLayoutDesc, ObjectKey
from lmcache.v1.distributed.storage_manager import StorageManager
from lmcache.v1.memory_management import MemoryObj
from numpy.typing import NDArray

from l2sweep.bench.adapter.verbs import Submit
from l2sweep.errors import BenchError

# A controller releases a key just after its task completed.
_RELEASE_S = 5.0
_PAUSE_S = 0.0005


class L1:
    """The L1 of one storage manager, as far as rounds use it.

    Args:
        manager: The storage manager.
        layout: The layout of each key.
    """

    def __init__(self, manager: StorageManager, layout: MemoryLayoutDesc) -> None:
        self._manager = manager
        self._layout = layout
        self._written: dict[ObjectKey, MemoryObj] = {}
        memory = manager.l1_memory_desc
        self._memory: NDArray[np.uint8] = np.ctypeslib.as_array(
            (ctypes.c_uint8 * memory.size).from_address(memory.ptr)
        )

    def blank(self) -> None:
        """Fill all memory with zeros. No key may be in L1, and nothing in flight."""
        self._memory.fill(0)

    def write(self, submits: Sequence[Submit]) -> None:
        """Reserve memory for the keys of a store round, and copy their payload into it.

        Raises:
            BenchError: L1 has no room for a key, or still has it.
        """
        keys = [key for submit in submits for key in submit.keys]
        sources = [memory for submit in submits for memory in submit.objects]
        reserved = self._manager.reserve_write(keys, self._layout)
        self._written.update(reserved)
        if len(reserved) < len(keys):
            raise BenchError(f"L1 has room for {len(reserved)} of {len(keys)} keys of a store round")
        for key, source in zip(keys, sources, strict=True):
            _bytes_of(reserved[key])[:] = _bytes_of(source)

    def drop_written(self, keys: Sequence[ObjectKey]) -> None:
        """Remove the keys of a store from L1.

        Raises:
            BenchError: LMCache does not release them.
        """
        for key in keys:
            _bytes_of(self._written.pop(key)).fill(0)
        self._delete(keys)

    def read(self, keys: Sequence[ObjectKey], memory: Sequence[MemoryObj]) -> None:
        """Copy prefetched keys into memory, and remove them from L1.

        Args:
            keys: Keys that a prefetch locked in L1.
            memory: For the payload of each key.

        Raises:
            BenchError: A key is not in L1, or LMCache does not release it.
        """
        if not keys:
            return
        found, objects = self._manager.unsafe_read(list(keys))
        place = dict(zip(keys, memory, strict=True))
        for key, source in zip(found, objects, strict=True):
            loaded = _bytes_of(source)
            _bytes_of(place[key])[:] = loaded
            loaded.fill(0)
        self._manager.finish_read_prefetched(list(keys))
        self._delete(keys)
        if len(found) < len(keys):
            raise BenchError(f"{len(keys) - len(found)} of {len(keys)} prefetched keys are not in L1")

    def _delete(self, keys: Sequence[ObjectKey]) -> None:
        deadline = time.monotonic() + _RELEASE_S
        while (skipped := self._manager.delete_l1_keys(list(keys))[1]) and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        if skipped:
            raise BenchError(f"{skipped} of {len(keys)} keys are still locked in L1 after {_RELEASE_S:.0f} s")


def _bytes_of(memory: MemoryObj) -> NDArray[np.uint8]:
    assert memory.tensor is not None
    view: NDArray[np.uint8] = memory.tensor.view(torch.uint8).numpy()
    return view
