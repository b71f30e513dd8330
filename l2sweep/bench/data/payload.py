"""The payload of a key: it follows from (seed, namespace, key index), and does not compress.

A block of random bytes, generated once per seed and namespace, is combined by XOR with one 64-bit word for
each block of each key. Therefore:

- payload is generated and checked at the speed of memory;
- the 8-byte words at the same place of two blocks always differ, so that compression and deduplication gain
  nothing, and a block at a wrong place is detected;
- payload of another namespace has nothing in common with it, so that deduplicating storage also gains nothing
  across points, repeats and nights;
- any later process can check loaded bytes without a copy of the stored bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD_BYTES = 8
_BLOCK_WORDS = 256 * 1024 // _WORD_BYTES  # fits in the L2 cache of a core: larger blocks are not faster
_MASK = (1 << 64) - 1


class Payload:
    """Generate and check the payload of keys.

    Args:
        seed: Seed of the payload. Bytes of two seeds agree only by chance.
        namespace: Namespace of the payload. Bytes of two namespaces agree only by chance. Empty: the bytes
            of releases in which the payload did not depend on a namespace.

    Attributes:
        fault: What is wrong with keys whose bytes are not those of the payload.
    """

    fault = "have wrong bytes"

    def __init__(self, seed: int, namespace: str = "") -> None:
        entropy = [0x6C327377, seed]
        if namespace:
            entropy.append(int.from_bytes(hashlib.sha256(namespace.encode()).digest(), "little"))
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
        self._block = np.frombuffer(generator.bytes(_BLOCK_WORDS * _WORD_BYTES), dtype=np.uint64)
        self._expected_bytes = bytearray(self._block.nbytes)
        self._expected = np.frombuffer(self._expected_bytes, dtype=np.uint64)
        self._key_salt = int.from_bytes(generator.bytes(_WORD_BYTES), "little")

    def fill(self, view: NDArray[np.uint8], key_index: int) -> None:
        """Write the payload of a key.

        Args:
            view: Memory of the key. Shape ``(bytes,)``, uint8, a multiple of 8 bytes long.
            key_index: Index of the key.
        """
        for number, words in enumerate(_blocks(view)):
            word = self._block_word(key_index, number)
            np.bitwise_xor(self._block[: words.size], word, out=words)
            self._limit(words)

    def first_difference(self, view: NDArray[np.uint8], key_index: int) -> int | None:
        """Return the offset of the first wrong byte; None if all bytes are the payload of the key.

        Args:
            view: Memory of the key. Shape ``(bytes,)``, uint8, a multiple of 8 bytes long.
            key_index: Index of the key.
        """
        for number, words in enumerate(_blocks(view)):
            expected = self._expected[: words.size]
            np.bitwise_xor(self._block[: words.size], self._block_word(key_index, number), out=expected)
            self._limit(expected)
            offset = self._first_wrong_byte(words, expected)
            if offset is not None:
                return number * _BLOCK_WORDS * _WORD_BYTES + offset
        return None

    def differing(self, found: NDArray[np.uint64], expected: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which words are not those that were expected.

        Args:
            found: Words, of any shape.
            expected: Words of payload, of the same shape.
        """
        differs: NDArray[np.bool_] = found != expected
        return differs

    def words_at(self, key_indices: Sequence[int], places: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Return some 8-byte words of the payload of keys.

        Args:
            key_indices: Indices of the keys.
            places: Positions of the words in each key, in ascending order. Shape ``(words,)``, in words.

        Returns:
            The words. Shape ``(keys, words)``, uint64.
        """
        blocks = places // _BLOCK_WORDS
        numbers = range(int(blocks[-1]) + 1)
        block_words = np.array([[self._block_word(key, number) for number in numbers] for key in key_indices])
        words: NDArray[np.uint64] = block_words[:, blocks]
        words ^= self._block[places % _BLOCK_WORDS]
        self._limit(words)
        return words

    def _limit(self, words: NDArray[np.uint64]) -> None:
        """Change random words to those that a payload may have, in place: any may."""

    def _first_wrong_byte(self, words: NDArray[np.uint64], expected: NDArray[np.uint64]) -> int | None:
        # Comparing a bytearray uses memcmp(3), which is faster than comparing words with numpy.
        whole = words.size == _BLOCK_WORDS
        expected_bytes = self._expected_bytes if whole else self._expected_bytes[: words.nbytes]
        if expected_bytes == words.data:
            return None
        return int(np.argmax(expected.view(np.uint8) != words.view(np.uint8)))

    def _block_word(self, key_index: int, block_number: int) -> np.uint64:
        return np.uint64(_mix(_mix(self._key_salt ^ key_index) + block_number))


def _blocks(view: NDArray[np.uint8]) -> list[NDArray[np.uint64]]:
    words = view.view(np.uint64)
    return [words[start : start + _BLOCK_WORDS] for start in range(0, words.size, _BLOCK_WORDS)]


def _mix(value: int) -> int:
    """Mix a number to 64 bits: the output function of SplitMix64 (Steele, Lea, Flood, 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
