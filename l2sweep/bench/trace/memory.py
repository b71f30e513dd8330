"""The memory of the stores and loads of a replay, and the check of the bytes that were loaded.

Each submit takes free slots of a region, and gives them back when it has completed. As in a round, the
sampled words of a load hold the payload with other bits before it, and must hold the payload when its
completion is noticed; the sampled words of a store are overwritten then (``bench/checks``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from lmcache.v1.memory_management import MemoryObj
from numpy.typing import NDArray

from l2sweep.bench.checks.loaded_bytes import random_mask, sampled_words
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload


@dataclass(frozen=True)
class LoadedBytes:
    """The result of the check of a load.

    Attributes:
        wrong: Number of loaded keys with wrong bytes.
        detail: The first wrong byte; empty if there is none.
    """

    wrong: int = 0
    detail: str = ""


class ReplayMemory:
    """The memory of the stores, or of the loads.

    Args:
        region: The memory of a round.
        payload: Generates and checks the bytes.
        every_byte: Whether every loaded byte is checked, besides the sampled words.
    """

    def __init__(self, region: Region, payload: Payload, *, every_byte: bool) -> None:
        self._slots = region.slots
        self._words = region.slots.view(np.uint64)
        self._objects = [one for submit in region.submits for one in submit]
        self._free = list(range(len(self._slots)))
        self._payload = payload
        self._every_byte = every_byte
        self._places = sampled_words(region.slots.shape[1])
        region.clear()

    def take(self, num_keys: int) -> list[int] | None:
        """Return free slots, which are free no longer; None if there are too few.

        Args:
            num_keys: How many.
        """
        if num_keys > len(self._free):
            return None
        taken = self._free[-num_keys:]
        del self._free[-num_keys:]
        return taken

    def give_back(self, slots: Sequence[int]) -> None:
        """Make slots free again. No adapter may use them any more."""
        self._free += slots

    def objects(self, slots: Sequence[int]) -> list[MemoryObj]:
        """Return LMCache's memory objects of slots."""
        return [self._objects[slot] for slot in slots]

    def fill(self, slot: int, key: int) -> None:
        """Write the payload of a key, before a store.

        Args:
            slot: Its slot.
            key: Its index.
        """
        self._payload.fill(self._slots[slot], key)

    def overwrite(self, slots: Sequence[int]) -> None:
        """Overwrite the sampled words, after a store: an adapter that reads them later stores wrong bytes."""
        self._words[_rows(slots), self._places] = 0

    def prepare_load(self, slots: Sequence[int], keys: Sequence[int]) -> None:
        """Write a pattern that is not the payload, before a load.

        Args:
            slots: A slot for each key.
            keys: Key indices.
        """
        if self._every_byte:  # bytes of an earlier load of the same key must not pass for loaded bytes
            for slot in slots:
                self._slots[slot].fill(0)
        pattern = self._payload.words_at(keys, self._places) ^ random_mask()
        self._words[_rows(slots), self._places] = pattern

    def check_load(self, slots: Sequence[int], keys: Sequence[int], loaded: Collection[int]) -> LoadedBytes:
        """Check the keys that were loaded.

        Args:
            slots: A slot for each key.
            keys: Key indices.
            loaded: Positions of the keys that are reported as loaded.
        """
        if not loaded:
            return LoadedBytes()
        positions = sorted(loaded)
        found = self._words[_rows([slots[one] for one in positions]), self._places]
        differs = found != self._payload.words_at([keys[one] for one in positions], self._places)
        wrong = {
            positions[row]: int(self._places[int(np.argmax(differs[row]))]) * found.itemsize
            for row in np.flatnonzero(differs.any(axis=1)).tolist()
        }
        for position in positions if self._every_byte else ():
            offset = self._payload.first_difference(self._slots[slots[position]], keys[position])
            if offset is not None:
                wrong[position] = offset
        if not wrong:
            return LoadedBytes()
        first, offset = min(wrong.items())
        place = f"first at key {keys[first]}, byte {offset}"
        return LoadedBytes(len(wrong), f"{len(wrong)} of {len(loaded)} loaded keys have wrong bytes, {place}")


def _rows(slots: Sequence[int]) -> NDArray[np.intp]:
    """Return slots as an index of rows, to be combined with one of columns."""
    return np.array(slots, dtype=np.intp)[:, np.newaxis]
