"""Read the last words of a submit's memory, or overwrite them, as soon as its completion is noticed.

This takes part in the latency of the submits that are still in flight, so only a few words are used, and no
numpy: its functions take 1 us, and 10 to 30 us where they were not called for some milliseconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l2sweep.bench.data.buffers import Region

# Measured: 1 to 2.5 us for 4 keys, and 3 to 10 us where the caches of the processor were cold.
_KEYS_OF_SUBMIT = 4


class LastWords:
    """The last word of up to 4 keys of each submit: of the last key, and of others at equal distances.

    Most adapters move the last word of the last key last.

    Args:
        region: The memory of a round.
        num_keys: Number of keys in one submit.
    """

    def __init__(self, region: Region, num_keys: int) -> None:
        words_of_key = region.slots.shape[1] // np.dtype(np.uint64).itemsize
        step = -(-num_keys // _KEYS_OF_SUBMIT)
        self._slots = [
            range(start + num_keys - 1, start - 1, -step) for start in range(0, len(region.slots), num_keys)
        ]
        self._words = region.slots.reshape(-1).data.cast("Q")
        self._places = [[(slot + 1) * words_of_key - 1 for slot in slots] for slots in self._slots]
        self._read: dict[int, list[int]] = {}

    def clear(self) -> None:
        """Forget what was read. Call this before a round."""
        self._read.clear()

    def read(self, position: int) -> None:
        """Read the words of a submit.

        Args:
            position: Position of the submit in the round.
        """
        words = self._words
        self._read[position] = [words[place] for place in self._places[position]]

    def overwrite(self, position: int) -> None:
        """Overwrite the words of a submit with zeros.

        Args:
            position: Position of the submit in the round.
        """
        words = self._words
        for place in self._places[position]:
            words[place] = 0

    def merged(self, words: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return a word for each slot: what was read, and elsewhere the given words.

        Args:
            words: Shape ``(keys_per_round,)``, uint64.
        """
        merged = words.copy()
        for position, read in self._read.items():
            merged[self._slots[position]] = read
        return merged
