"""The throughput of a tier at a size and a depth: as measured, or between measured neighbours.

A request of n tokens is one submit: LMCache submits all keys of a request at once
(``PrefetchController._submit_load_tasks``), and c requests are c submits in flight. The depth is the product,
the keys in flight. Where no setting has this size and depth, the logarithm of the throughput is interpolated
linearly in the logarithms of size and depth. Nothing is read beyond what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from l2sweep.analysis.tune.bootstrap import FEWEST, Floats, Interval, interval, resampled_medians
from l2sweep.analysis.tune.settings import Setting

Value = TypeVar("Value")

MEASURED, SAME_DEPTH, INTERPOLATED = "measured", "same depth", "interpolated"
"""Where a throughput is from: a setting with this size, these keys and these submits in flight; one with as
many keys in flight in other submits; or several neighbours."""


@dataclass(frozen=True)
class Estimate:
    """A throughput at a size and a depth.

    Attributes:
        value: The throughput: MiB/s; for lookups keys/s.
        samples: The same of resampled processes; None where a neighbour has fewer than three.
        neighbours: The settings that it is from.
        basis: :data:`MEASURED`, :data:`SAME_DEPTH` or :data:`INTERPOLATED`.
    """

    value: float
    samples: Floats | None
    neighbours: tuple[Setting, ...]
    basis: str

    @property
    def interval(self) -> Interval | None:
        """Its 95% interval; None without samples."""
        return interval(self.samples)


@dataclass(frozen=True)
class _Measured:
    setting: Setting
    samples: Floats | None


@dataclass(frozen=True)
class Curve:
    """The settings of one adapter with the same options, at one place and temperature.

    Attributes:
        measured: Those that were measured without a failure.
        failed: Number of those of which a process failed. They are not used.
    """

    measured: tuple[_Measured, ...]
    failed: int

    @classmethod
    def of(cls, settings: Sequence[Setting]) -> Curve:
        """Return the curve of settings that differ only in their workload.

        Args:
            settings: The settings.
        """
        used = [one for one in settings if one.is_candidate]
        enough = [one for one in used if len(one.rates) >= FEWEST]
        medians = resampled_medians([one.rates for one in enough])
        samples = {} if medians is None else {id(one): medians[:, at] for at, one in enumerate(enough)}
        return cls(tuple(_Measured(one, samples.get(id(one))) for one in used), len(settings) - len(used))

    def at(self, data_size_kb: int, num_keys: int, in_flight: int) -> Estimate | str:
        """Return the throughput at a size and a depth.

        Args:
            data_size_kb: KiB of a key.
            num_keys: Keys of a submit.
            in_flight: Submits in flight.

        Returns:
            The throughput, or what was measured instead.
        """
        depth = num_keys * in_flight
        by_size: dict[int, list[_Measured]] = {}
        for one in self.measured:
            by_size.setdefault(one.setting.data_size_kb, []).append(one)
        reached = {
            size: found
            for size, own in by_size.items()
            if (found := _bracket(depth, _by_depth(own, in_flight)))
        }
        sizes = _bracket(data_size_kb, {size: size for size in reached})
        if not sizes:
            return _instead(data_size_kb, depth, by_size)
        corners = [(one, of_size * of_depth) for size, of_size in sizes for one, of_depth in reached[size]]
        return _combined(corners, num_keys, in_flight)


def _by_depth(among: Sequence[_Measured], in_flight: int) -> dict[int, _Measured]:
    """Return the setting at each depth; of several the one whose submits in flight are nearest."""
    chosen: dict[int, _Measured] = {}
    for one in sorted(among, key=lambda one: abs(math.log(one.setting.in_flight / in_flight))):
        chosen.setdefault(one.setting.keys_in_flight, one)
    return chosen


def _bracket(at: int, table: dict[int, Value]) -> list[tuple[Value, float]]:
    """Return the nearest values at both sides of a place, with weights; one if it is in the table."""
    if at in table:
        return [(table[at], 1.0)]
    below = max((place for place in table if place < at), default=None)
    above = min((place for place in table if place > at), default=None)
    if below is None or above is None:
        return []
    share = math.log(at / below) / math.log(above / below)
    return [(table[below], 1 - share), (table[above], share)]


def _combined(corners: Sequence[tuple[_Measured, float]], num_keys: int, in_flight: int) -> Estimate:
    value = math.exp(sum(weight * math.log(one.setting.rate) for one, weight in corners))
    samples = None
    if all(one.samples is not None for one, _ in corners):
        logs = [weight * np.log(one.samples) for one, weight in corners if one.samples is not None]
        samples = np.exp(np.sum(logs, axis=0))
    neighbours = tuple(one.setting for one, _ in corners)
    if len(corners) > 1:
        basis = INTERPOLATED
    else:
        only = neighbours[0]
        basis = MEASURED if (only.num_keys, only.in_flight) == (num_keys, in_flight) else SAME_DEPTH
    return Estimate(value, samples, neighbours, basis)


def _instead(data_size_kb: int, depth: int, by_size: dict[int, list[_Measured]]) -> str:
    """Return what was measured, where a size and a depth are not among or between it."""
    if not by_size:
        return "nothing was measured without a failure"
    if not (nearest := _bracket(data_size_kb, {size: size for size in by_size})):
        return f"keys of {data_size_kb} KiB: only {_range(sorted(by_size))} KiB were measured"
    measured = [
        f"{_range(sorted(one.setting.keys_in_flight for one in by_size[size]))} of {size} KiB"
        for size, _ in nearest
    ]
    return f"{depth} keys of {data_size_kb} KiB in flight: only {' and '.join(measured)} were measured"


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if values[0] == values[-1] else f"{values[0]} to {values[-1]}"
