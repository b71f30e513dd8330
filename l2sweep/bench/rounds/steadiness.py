"""Judge from durations whether a phase was measured often enough, and whether it is warm.

``docs/rounds.md`` gives the sources, and what several looks at the interval cost.
"""

from __future__ import annotations

import functools
import itertools
import math
import statistics
from collections.abc import Sequence

SMALLEST_SAMPLE = 6
"""The smallest and the largest of 6 values enclose the median with 1 - 2/2^6 = 97%, those of 5 with 94%."""
_ONE_IN = 40  # intervals that lie wholly below the median, and as many above it: 95% enclose it
# A choice: the number of looks grows with the logarithm of the rounds, and a phase runs at most half of its
# rounds in vain.
_LOOK_GROWTH = 1.5
DRIFT_WINDOW = 8
"""The last rounds of a warm-up that must show no trend. ``docs/rounds.md`` compares 6, 8 and 10."""
# Kendall's S of 8 values without a trend is 12 or more away from 0 in 7,212 of 40,320 orders: 18%. A level
# of 5% would overlook more drifts; a false alarm costs one more warm-up round.
_DRIFT_S = 12


@functools.cache
def interval_rank(size: int) -> int | None:
    """Return the rank of the lower bound of the 95% interval of the median.

    The bounds are the values of this rank from below and from above. They enclose the median of any
    continuous distribution with at least 95%, if the values are independent: Conover, "Practical
    Nonparametric Statistics", 3rd edition (1999), section 3.2; Le Boudec, "Performance Evaluation of Computer
    and Communication Systems" (2010), chapter 2 and the tables of appendix A.

    Args:
        size: Number of values.

    Returns:
        The rank, counted from 1; None for fewer than ``SMALLEST_SAMPLE`` values.
    """
    if size < SMALLEST_SAMPLE:
        return None
    outcomes = below = 1  # of 2^size: no value is below the median
    for number_below in range(size):
        if _ONE_IN * below > 2**size:
            return number_below
        outcomes = outcomes * (size - number_below) // (number_below + 1)
        below += outcomes
    raise AssertionError(f"all {size} values would be below the median")


def relative_half_width(durations_s: Sequence[float]) -> float | None:
    """Return half the width of the 95% interval of the median, divided by the median.

    Args:
        durations_s: Durations; infinite for a round that has none.

    Returns:
        The precision; None if the sample is too small, or a bound is infinite.
    """
    size = len(durations_s)
    rank = interval_rank(size)
    if rank is None:
        return None
    ordered = sorted(durations_s)
    lower, upper = ordered[rank - 1], ordered[size - rank]
    return None if math.isinf(upper) else (upper - lower) / 2 / statistics.median(ordered)


def is_looked_at(size: int, most: int) -> bool:
    """Return whether the interval of this many rounds may end a phase.

    A look after every round would find an interval that is narrow by chance more often. So the rounds between
    two looks grow, see :data:`_LOOK_GROWTH`.

    Args:
        size: Number of measured rounds.
        most: Number of measured rounds at most; that many are always looked at.
    """
    look = SMALLEST_SAMPLE
    while look < size:
        look = math.ceil(look * _LOOK_GROWTH)
    return size >= SMALLEST_SAMPLE and size in (look, most)


def is_drifting(durations_s: Sequence[float]) -> bool:
    """Return whether the last durations of a warm-up show a trend, or are too few to tell.

    The test is that of Mann, "Nonparametric Tests Against Trend", Econometrica 13 (1945), with Kendall's S:
    the pairs of rounds of which the later one is longer, without those of which it is shorter.

    Args:
        durations_s: The durations of the warm-up rounds; infinite for a round that has none.
    """
    last = durations_s[-DRIFT_WINDOW:]
    if len(last) < DRIFT_WINDOW:
        return True
    s = sum((later > earlier) - (later < earlier) for earlier, later in itertools.combinations(last, 2))
    return abs(s) >= _DRIFT_S
