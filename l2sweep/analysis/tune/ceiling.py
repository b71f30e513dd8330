"""Compare an adapter with fio at the same size, depth, O_DIRECT and temperature: is the device the limit?"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from l2sweep.analysis.tune.bootstrap import Interval, interval, resampled_medians
from l2sweep.analysis.tune.settings import Setting

FIO = "fio"
"""Adapter type of the ceiling."""
_MAX_THREADS = 64  # as in l2sweep/bench/benchmarks/fio.py
NEAR = 0.9
"""Share of the ceiling from which the device is the limit. fio rounds a duration up by 1 ms, and its bytes
are in other files: a difference of 10% need not be the adapter's."""

DEVICE, DEPTH, LMCACHE, UNKNOWN = "device", "depth", "lmcache", "unknown"


@dataclass(frozen=True)
class Ratio:
    """The throughput of one setting divided by that of another.

    Attributes:
        above: The setting that is divided.
        below: The setting that it is divided by.
    """

    above: Setting
    below: Setting

    @property
    def value(self) -> float:
        """Ratio of the medians."""
        return self.above.rate / self.below.rate

    @functools.cached_property
    def interval(self) -> Interval | None:
        """Its 95% interval; None if one of the two has too few processes."""
        medians = resampled_medians([self.above.rates, self.below.rates])
        return None if medians is None else interval(medians[:, 0] / medians[:, 1])

    @property
    def low(self) -> float:
        """Lower end; the value itself if there is no interval."""
        return self.interval.low if self.interval else self.value

    @property
    def high(self) -> float:
        """Upper end; the value itself if there is no interval."""
        return self.interval.high if self.interval else self.value


@dataclass(frozen=True)
class Ceiling:
    """What fio reaches where an adapter was measured.

    Attributes:
        same: fio with as many threads as the adapter has keys in flight.
        best: fio with the depth that was the fastest at this size.
        share: Throughput of the adapter, as a share of ``same``.
        share_of_best: The same of ``best``.
        gain: Throughput of ``best`` divided by that of the adapter.
    """

    same: Setting
    best: Setting
    share: Ratio
    share_of_best: Ratio
    gain: Ratio

    @property
    def limit(self) -> str:
        """What limits the adapter: :data:`DEVICE`, :data:`DEPTH`, :data:`LMCACHE` or :data:`UNKNOWN`.

        The device: it reaches at least 90% of the best that fio reaches. The depth: it reaches that only of
        fio at the same depth, and fio is faster at another. LMCache: it does not reach 90% of fio at the same
        depth. Not known: the interval of the share contains 90%, or fio is slower than the adapter at every
        depth, so that it is no ceiling.
        """
        if self.share_of_best.value > 1 / NEAR:
            return UNKNOWN
        if self.share_of_best.low >= NEAR:
            return DEVICE
        if self.share.high < NEAR:
            return LMCACHE
        if self.share.low >= NEAR and self.share_of_best.high < NEAR:
            return DEPTH
        return UNKNOWN


def depth(fio: Setting) -> int:
    """Return the number of threads of fio: the largest that divides its keys evenly, at most one per key.

    Args:
        fio: A setting of fio.
    """
    workers = fio.value("adapter.num_workers")
    return _threads(fio.keys_in_flight, int(workers) if workers else _MAX_THREADS)


def ceiling(of: Setting, among: Sequence[Setting]) -> Ceiling | str:
    """Return what fio reaches where a setting was measured.

    Args:
        of: The setting.
        among: All settings that were measured.

    Returns:
        The ceiling, or why there is none: fio must have been measured on the same host and path, with the
        same size, O_DIRECT and state of the page cache, and with as many threads as keys are in flight.
    """
    if of.spec.path is None:
        return "its data are on no path that fio can use"
    if not of.rates:
        return "no process was complete"
    fios = [one for one in among if one.spec.adapter == FIO and one.is_candidate]
    there = [one for one in fios if (one.host, one.spec.path) == (of.host, of.spec.path)]
    if not there:
        return f"fio was not measured on {of.spec.path} among these rows"
    alike = [
        one for one in there if (one.data_size_kb, one.spec.is_direct) == (of.data_size_kb, of.spec.is_direct)
    ]
    if not alike:
        direct = str(of.spec.is_direct).lower()
        return f"fio was not measured with data_size_kb={of.data_size_kb} use_odirect={direct}"
    alike = [one for one in alike if one.cache_state == of.cache_state]
    if not alike:
        return f"fio was not measured with the page cache in the state {of.cache_state or 'unknown'}"
    threads = min(of.keys_in_flight, _MAX_THREADS)
    alike_depth = [one for one in alike if depth(one) == threads]
    if not alike_depth:
        return f"fio was not measured with {threads} keys in flight"
    # A ceiling is the most that was reached: with more keys, the start of fio's threads matters less.
    same, best = (max(some, key=lambda one: one.rate) for some in (alike_depth, alike))
    return Ceiling(same, best, Ratio(of, same), Ratio(of, best), Ratio(best, of))


def _threads(keys: int, most: int) -> int:
    return next(count for count in range(min(keys, most), 0, -1) if keys % count == 0)
