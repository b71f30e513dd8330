"""Overwrite the memory of a store as soon as it completed.

Its memory belongs to the caller again then. An adapter that reads it later stores wrong bytes, which a load
of the keys finds. The next round generates its own payload, so an adapter that completes in time is not
affected.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from l2sweep.bench.checks.last_words import LastWords
from l2sweep.bench.checks.loaded_bytes import sampled_words
from l2sweep.bench.data.buffers import Region
from l2sweep.bench.workload import Workload


class StoredMemory:
    """Overwrite the memory of store rounds.

    Args:
        workload: Gives the number and size of the keys.
        region: The memory of a round.
    """

    def __init__(self, workload: Workload, region: Region) -> None:
        self._num_keys = workload.num_keys
        self._words = region.slots.view(np.uint64)
        self._places = sampled_words(workload.data_size_bytes)
        self._last_words = LastWords(region, workload.num_keys)

    def at_completion(self, position: int) -> None:
        """Overwrite the last words of a submit. Call this as soon as its completion is noticed.

        Args:
            position: Position of the submit in the round.
        """
        self._last_words.overwrite(position)

    def overwrite(self, positions: Collection[int]) -> None:
        """Overwrite some words of each page, those of the last key first. Call this when the clock stopped.

        Args:
            positions: Positions of the submits that completed. The memory of the others may still be in use.
        """
        for position in sorted(positions, reverse=True):
            for slot in reversed(range(position * self._num_keys, (position + 1) * self._num_keys)):
                self._words[slot, self._places] = 0
