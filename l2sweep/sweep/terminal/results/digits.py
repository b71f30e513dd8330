"""Show a number with as many digits as its spread supports."""

from __future__ import annotations

import math

_WITHOUT_SPREAD = 3
"""Significant digits of a number that was measured once: its spread is unknown."""
_MOST = 4  # significant digits, however small the spread is
_BLANK = "-"


def rounded(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Return a number, rounded where its spread makes further digits meaningless.

    The last digit shown is that of the first significant digit of half the spread. If that digit is 1 or 2,
    one more is shown: the rule of the Particle Data Group, "Review of Particle Physics", introduction,
    section 5.3, simplified.

    Args:
        value: The number, or None.
        low: The smallest value of the sample; None if the spread is unknown.
        high: The largest value of the sample.
    """
    if value is None or math.isnan(value):
        return _BLANK
    return at_place(value, place_of(value, low, high))


def place_of(value: float, low: float | None = None, high: float | None = None) -> int:
    """Return the power of ten of the last digit that is shown.

    Args:
        value: The number.
        low: The smallest value of the sample; None if the spread is unknown.
        high: The largest value of the sample.
    """
    first = _power(value)
    if low is None or high is None:
        return first - _WITHOUT_SPREAD + 1
    half = (high - low) / 2
    finest = first - _MOST + 1
    if half <= 0:
        return finest
    power = _power(half)
    place = power - 1 if half / 10.0**power < 3 else power
    return min(max(place, finest), first)


def at_place(value: float, place: int) -> str:
    """Return a number whose last digit is at a power of ten, or a finer one where it would be shown as 0."""
    if value and not round(value, -place):
        place = _power(value)
    return f"{round(value, -place):.{max(0, -place)}f}"


def _power(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0
