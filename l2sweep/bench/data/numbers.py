"""A payload of numbers, for a serde that quantizes: loaded numbers are compared within a tolerance.

Random bits contain NaN and infinity, which no tolerance can compare. Each 16 bits of this payload are a
finite ``bfloat16`` instead: random sign, mantissa and two bits of the exponent, with a magnitude of 0.125 to
2. A quarter of its bits is constant, so it can be compressed to three quarters of its size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from l2sweep.bench.data.payload import Payload

# Of bfloat16: 1 bit sign, 8 bits exponent (bias 127), 7 bits mantissa. The same for each of 4 in a word.
_RANDOM_BITS = np.uint64(0x81FF_81FF_81FF_81FF)  # sign, two bits of the exponent, mantissa
_SMALLEST = np.uint64(0x3E00_3E00_3E00_3E00)  # exponent 124 - 127: 2**-3
_IN_WORD = 4


class NumberPayload(Payload):
    """Generate payload of numbers, and check it within a tolerance.

    Args:
        seed: As for :class:`Payload`.
        namespace: As for :class:`Payload`.
        tolerance: Largest relative error of a loaded number.
    """

    def __init__(self, seed: int, namespace: str, tolerance: float) -> None:
        super().__init__(seed, namespace)
        self._tolerance = tolerance
        self.fault = f"have numbers with a relative error above {tolerance:g}"

    def differing(self, found: NDArray[np.uint64], expected: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which words have a number beyond the tolerance, or one that is not finite.

        Args:
            found: Words, of any shape.
            expected: Words of payload, of the same shape.
        """
        wrong = self._wrong_numbers(found, expected)
        any_wrong: NDArray[np.bool_] = np.any(wrong.reshape(*found.shape, _IN_WORD), axis=-1)
        return any_wrong

    def _limit(self, words: NDArray[np.uint64]) -> None:
        words &= _RANDOM_BITS
        words |= _SMALLEST

    def _first_wrong_byte(self, words: NDArray[np.uint64], expected: NDArray[np.uint64]) -> int | None:
        wrong = self._wrong_numbers(words, expected)
        return int(np.argmax(wrong)) * np.dtype(np.uint16).itemsize if wrong.any() else None

    def _wrong_numbers(self, found: NDArray[np.uint64], expected: NDArray[np.uint64]) -> NDArray[np.bool_]:
        stored = _numbers(expected)
        error: NDArray[np.float32] = np.abs(_numbers(found) - stored)
        is_right: NDArray[np.bool_] = np.less_equal(error, self._tolerance * np.abs(stored))
        return np.logical_not(is_right)


def _numbers(words: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the numbers in words. A ``bfloat16`` is the first half of a ``float32``."""
    halves = np.ascontiguousarray(words).reshape(-1).view(np.uint16)
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)
