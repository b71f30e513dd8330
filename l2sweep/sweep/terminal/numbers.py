"""Format numbers for people; a number that does not exist is ``-``."""

from __future__ import annotations

from l2sweep.analysis.sample import Bound


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a fixed count of decimal places.

    Args:
        value: The number, or None.
        digits: Decimal places.
    """
    return "-" if value is None else f"{value:.{digits}f}"


def milliseconds(seconds: float | Bound | None, digits: int = 2) -> str:
    """Return a duration in milliseconds, without the unit; a lower bound is marked with ``>=``.

    Args:
        seconds: The duration, or None.
        digits: Decimal places.
    """
    if isinstance(seconds, Bound):
        return f"{'>= ' if seconds.is_lower_bound else ''}{number(seconds.value * 1000, digits)}"
    return number(None if seconds is None else seconds * 1000, digits)
