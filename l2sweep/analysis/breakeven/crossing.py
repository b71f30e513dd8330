"""From which length on loading is faster than computing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from l2sweep.analysis.breakeven.loading import LoadTime
from l2sweep.analysis.breakeven.prefill import PrefillTime
from l2sweep.analysis.tune.bootstrap import Floats, interval


@dataclass(frozen=True)
class Crossing:
    """Where T_load crosses T_prefill, among the lengths whose T_load is known.

    Attributes:
        tokens: n*, the smallest length at which loading is at least as fast; None if there is none.
        low: Lower end of its 95% interval; None without one, or if loading is slower everywhere.
        high: Upper end; None without one, or if it is not among the known lengths.
        has_interval: Whether the interval is known: every length has three processes or more.
        first: The smallest known length; None if no length is known.
        last: The largest known length.
        lost_at: The smallest length above n* at which loading is slower again; None if there is none.
    """

    tokens: int | None
    low: int | None
    high: int | None
    has_interval: bool
    first: int | None
    last: int | None
    lost_at: int | None


def crossing(times: Sequence[LoadTime], prefill: PrefillTime) -> Crossing:
    """Return where loading becomes faster than computing.

    The interval is that of the crossings of resampled processes. It follows from the throughput alone: the
    prefill has no interval.

    Args:
        times: T_load of the known lengths, in ascending order.
        prefill: T_prefill.
    """
    if not times:
        return Crossing(None, None, None, False, None, None, None)
    lengths = [one.tokens for one in times]
    limits = np.array([prefill.seconds(tokens) for tokens in lengths])
    is_faster = np.array([one.load_s for one in times]) <= limits
    at = int(is_faster.argmax()) if is_faster.any() else None
    lost = [] if at is None else np.flatnonzero(~is_faster[at:]).tolist()
    low, high, has_interval = _interval(times, limits)
    return Crossing(
        tokens=None if at is None else lengths[at],
        low=low,
        high=high,
        has_interval=has_interval,
        first=lengths[0],
        last=lengths[-1],
        lost_at=lengths[(at or 0) + lost[0]] if lost else None,
    )


def _interval(times: Sequence[LoadTime], limits: Floats) -> tuple[int | None, int | None, bool]:
    samples = [one.samples for one in times]
    known = [one for one in samples if one is not None]
    if len(known) < len(samples):
        return None, None, False
    is_faster = np.stack(known) <= limits[:, None]
    lengths = np.array([float(one.tokens) for one in times])
    first = np.where(is_faster.any(axis=0), lengths[is_faster.argmax(axis=0)], math.inf)
    found = interval(first)
    assert found is not None
    low, high = (None if math.isinf(end) else int(end) for end in (found.low, found.high))
    return low, high, True
