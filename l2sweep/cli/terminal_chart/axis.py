"""An axis of a chart of characters: where a value is, and which values have a label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_POSITIONS = 12
"""Up to this number of places, each has a tick: a sweep measures few, and they are what is looked up."""
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        low: The value in the middle of its first cell.
        high: The value in the middle of its last cell.
        cells: Number of its cells.
        is_log: Whether it is logarithmic.
        ticks: The values with a label, in ascending order.
    """

    low: float
    high: float
    cells: int
    is_log: bool
    ticks: tuple[float, ...]

    @classmethod
    def of_values(cls, values: Sequence[float], cells: int, *, is_log: bool, ticks: int) -> Axis:
        """Return an axis that begins and ends at a tick. A linear one contains 0.

        Args:
            values: All values that are drawn.
            cells: Number of cells.
            is_log: Whether it is logarithmic.
            ticks: Largest number of intervals between ticks of a linear axis.

        Raises:
            ValueError: It is logarithmic, and a value is not above 0.
        """
        low, high = _limits(values, is_log)
        if is_log:
            chosen = _log_ticks(low, high)
        else:
            low, high = min(low, 0.0), max(high, 0.0)
            step = _step((high - low) / max(1, ticks) or 1.0)
            first, last = math.floor(low / step), math.ceil(high / step)
            chosen = [number * step for number in range(first, max(last, first + 1) + 1)]
        return cls(chosen[0], chosen[-1], cells, is_log, tuple(chosen))

    @classmethod
    def of_positions(cls, positions: Sequence[float], cells: int, *, is_log: bool) -> Axis:
        """Return an axis that begins and ends at a position.

        Args:
            positions: All positions of points.
            cells: Number of cells.
            is_log: Whether it is logarithmic.

        Raises:
            ValueError: It is logarithmic, and a position is not above 0.
        """
        low, high = _limits(positions, is_log)
        ticks = sorted(set(positions))
        if len(ticks) > _MOST_POSITIONS:
            step = _step((high - low) / _MOST_POSITIONS)
            first, last = math.ceil(low / step), math.floor(high / step)
            even = _log_ticks(low, high) if is_log else [number * step for number in range(first, last + 1)]
            ticks = [tick for tick in even if low <= tick <= high] or ticks[:: len(ticks) - 1]
        return cls(low, high, cells, is_log, tuple(ticks))

    def cell(self, value: float) -> int:
        """Return the cell of a value, from 0 at the low end.

        Args:
            value: A value between ``low`` and ``high``.
        """
        low, high, value = (self._scaled(one) for one in (self.low, self.high, value))
        share = 0.5 if high == low else (value - low) / (high - low)
        return round(share * (self.cells - 1))

    def label(self, tick: float) -> str:
        """Return a tick as text, with up to four significant digits of what is not whole.

        Args:
            tick: One of the ticks.
        """
        whole = round(tick)
        if math.isclose(tick, whole, rel_tol=1e-9, abs_tol=1e-12) and abs(whole) < 1e9:
            return str(whole)
        return f"{tick:.4g}"

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.is_log else value


def _limits(values: Sequence[float], is_log: bool) -> tuple[float, float]:
    low, high = min(values), max(values)
    if is_log and low <= 0:
        raise ValueError(f"{low:g} has no place on a logarithmic axis")
    return low, high


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, ... and their tenths that is not below a number."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((step * power for step in _STEPS if step * power >= least * (1 - 1e-9)), 10 * power)


def _log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten, from one at or below ``low`` to one at or above ``high``."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [step * 10.0**power for power in powers for step in _STEPS[:3]]
    first = max(index for index, tick in enumerate(every) if tick <= low * (1 + 1e-9))
    last = next((index for index, tick in enumerate(every) if tick >= high * (1 - 1e-9)), len(every) - 1)
    chosen = every[first : max(last, first + 1) + 1]
    # Decades alone, where all would be too many.
    is_decade = [math.isclose(math.log10(tick), round(math.log10(tick)), abs_tol=1e-9) for tick in chosen]
    if len(chosen) <= 10:
        return chosen
    return [tick for place, tick in enumerate(chosen) if is_decade[place] or place in (0, len(chosen) - 1)]
