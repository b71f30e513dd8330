"""Draw a series as one line of characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_DIGITS = "12345678"
# A smaller range is drawn in the middle of the scale, so that the noise of a quiet series looks small.
_LEAST_RANGE = math.log(1.5)


def sparkline(values: Sequence[float | None], width: int, *, is_ascii: bool = False) -> str:
    """Return the last values as blocks of increasing height, on a logarithmic scale.

    Args:
        values: Positive values, oldest first; None is a gap.
        width: Largest number of values.
        is_ascii: Use the digits 1 to 8 instead of blocks.
    """
    shown = list(values)[-width:]
    logs = [math.log(value) for value in shown if value is not None]
    if not logs:
        return " " * len(shown)
    heights = _DIGITS if is_ascii else _BLOCKS
    middle = (min(logs) + max(logs)) / 2
    scale = max(max(logs) - min(logs), _LEAST_RANGE)
    return "".join(
        " " if value is None else heights[_height(math.log(value), middle, scale, len(heights))]
        for value in shown
    )


def _height(log: float, middle: float, scale: float, count: int) -> int:
    return min(count - 1, math.floor(((log - middle) / scale + 0.5) * count))
