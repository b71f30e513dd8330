"""Numbers as a person reads them; ``-`` where there is none."""

from __future__ import annotations


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with so many digits behind its point."""
    return "-" if value is None else f"{value:.{digits}f}"


def milliseconds(seconds: float | None, digits: int = 2) -> str:
    """Return seconds as milliseconds."""
    return number(None if seconds is None else seconds * 1000, digits)
