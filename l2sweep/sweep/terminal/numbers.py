"""Format numbers for people; a number that does not exist is ``-``."""

from __future__ import annotations


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a fixed count of decimal places.

    Args:
        value: The number, or None.
        digits: Decimal places.
    """
    return "-" if value is None else f"{value:.{digits}f}"


def milliseconds(seconds: float | None, digits: int = 2) -> str:
    """Return a duration in milliseconds, without the unit.

    Args:
        seconds: The duration, or None.
        digits: Decimal places.
    """
    return number(None if seconds is None else seconds * 1000, digits)
