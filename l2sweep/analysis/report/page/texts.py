"""Show numbers, times and lists as the page writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

_MOST_VALUES = 8
MISSING = "-"


def significant(value: float | None, digits: int = 3) -> str:
    """Return a number with its first digits, and commas between thousands; ``-`` for None.

    Args:
        value: The number.
        digits: Significant digits.
    """
    if value is None:
        return MISSING
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:g}"


def size_in_words(size_kb: float) -> str:
    """Return a size with the unit in which it is short, such as ``64 MiB``.

    Args:
        size_kb: The size in KiB.
    """
    for unit, factor in (("GiB", 1024 * 1024), ("MiB", 1024)):
        if size_kb >= factor:
            return f"{size_kb / factor:.3g} {unit}"
    return f"{size_kb:.4g} KiB"


def duration_in_words(duration_s: float) -> str:
    """Return a duration such as ``3 h 20 min``.

    Args:
        duration_s: Seconds.
    """
    if duration_s < 60:
        return f"{duration_s:.3g} s"
    minutes = round(duration_s / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def listed(values: Sequence[str], most: int = _MOST_VALUES) -> str:
    """Return values with commas; of many the first and the last.

    Args:
        values: The values, in order.
        most: The number of values that are written out.
    """
    if len(values) <= most:
        return ", ".join(values)
    return f"{values[0]} to {values[-1]} ({len(values)} values)"


def times_in_words(began: datetime | None, ended: datetime | None) -> str:
    """Return the time from a start to an end, in UTC.

    Args:
        began: The start; None if it is not known.
        ended: The end; None if it is not known.
    """
    if began is None:
        return "not recorded"
    start = f"{began:%Y-%m-%d %H:%M}"
    if ended is None:
        return f"{start} UTC"
    end = f"{ended:%H:%M}" if ended.date() == began.date() else f"{ended:%Y-%m-%d %H:%M}"
    return f"{start} to {end} UTC"
