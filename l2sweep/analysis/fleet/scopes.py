"""What hosts are judged by: all points together, those of a phase, and each point alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from l2sweep.analysis.compare.headline import counted, point_name
from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.compare.rows.settings import settings_of_each
from l2sweep.analysis.compare.tested import CLOCK_ERROR_S
from l2sweep.analysis.fleet.rates import Booleans, Floats, HostRates, Integers
from l2sweep.analysis.fleet.robust import FEWEST_HOSTS, deviation, known_medians, p_values, scores

FEWEST_PROCESSES = 3
"""Of fewer processes, the median does not ignore a bad one."""
_OWN_LEVEL = 0.01


@dataclass(frozen=True)
class Scope:
    """Points and phases by which hosts are judged together.

    Attributes:
        name: In words: ``all phases``, ``load`` or a point such as ``fs load at 4096 KiB, 4 in flight``.
        phase: The phase; None for all.
        points: Indices of the points.
        weight: Share of the level that is spent on this scope. All shares together are 1.
    """

    name: str
    phase: str | None
    points: Integers
    weight: float


@dataclass(frozen=True)
class Judged:
    """What a scope says of each host. A value is NaN where the host completed nothing in the scope.

    Attributes:
        scope: The scope.
        hosts: Number of hosts that completed something.
        relative: Rate relative to the median of the hosts: 0.85 is 15 % below it.
        score: Robust score; NaN with fewer than three hosts.
        p: p-value, corrected for the number of hosts.
        longer_s: How much longer a round takes than on the median host, in seconds; below 0: shorter.
        processes: Number of processes.
        is_steady: Whether the host's own processes leave no doubt that they are slower.
        deviation: How far the hosts deviate from their median, as logarithm; NaN with fewer than three hosts.
    """

    scope: Scope
    hosts: int
    relative: Floats
    score: Floats
    p: Floats
    longer_s: Floats
    processes: Integers
    is_steady: Booleans
    deviation: float

    def corrected_p(self, host: int) -> float:
        """Return the p-value of a host, corrected for the number of hosts and of scopes."""
        return min(1.0, float(self.p[host]) / self.scope.weight)


def scopes(points: Sequence[Point]) -> list[Scope]:
    """Return the scopes, the widest first.

    Half of the level is spent on the widest scope, because a slow disk or processor is slow everywhere. The
    rest is spent in equal parts on the phases and on the points, and there on each of them alike: the
    weighted Bonferroni procedure (Genovese, Roeder and Wasserman, "False Discovery Control With p-Value
    Weighting", Biometrika 93 (2006), section 2). A scope with the points of another one is left out.

    Args:
        points: Each point and phase.
    """
    of_phase: dict[str, list[int]] = {}
    for index, point in enumerate(points):
        of_phase.setdefault(point.phase, []).append(index)
    several = len(of_phase) > 1
    every = [("all phases", None, [*range(len(points))])] if several else []
    by_phase = [
        (f"{phase} over {counted(len(own), 'point')}", phase, own)
        for phase, own in of_phase.items()
        if several or len(own) > 1
    ]
    one_by_one = [
        (name, points[index].phase, [index])
        for index, name in enumerate(_names(points))
        if not several or len(of_phase[points[index].phase]) > 1
    ]
    kinds: list[list[tuple[str, str | None, list[int]]]]
    kinds = [[*kind] for kind in (every, by_phase, one_by_one) if kind]
    shares = [1.0] if len(kinds) == 1 else [0.5, *([0.5 / (len(kinds) - 1)] * (len(kinds) - 1))]
    return [
        Scope(name, phase, np.array(own, dtype=np.int64), share / len(kind))
        for kind, share in zip(kinds, shares, strict=False)
        for name, phase, own in kind
    ]


def judged(rates: HostRates, scope: Scope) -> Judged:
    """Judge the hosts by a scope.

    The value of a host is the median over the points of its rate relative to the median of the hosts.

    Args:
        rates: The rates.
        scope: The scope.
    """
    relative = rates.relative[scope.points]
    value = known_medians(relative.T)
    there = np.flatnonzero(~np.isnan(value))
    value = value - np.median(value[there])
    score, p, spread = np.full(len(value), np.nan), np.full(len(value), np.nan), float("nan")
    if len(there) >= FEWEST_HOSTS:
        score[there] = scores(value[there])
        p[there] = p_values(score[there], len(there))
        spread = deviation(value[there])
    longer_s = known_medians((np.exp(-rates.usual[scope.points, None]) * np.expm1(-relative)).T)
    processes, is_steady = _steady(rates, scope)
    return Judged(
        scope=scope,
        hosts=len(there),
        relative=np.exp(value),
        score=score,
        p=p,
        longer_s=longer_s,
        processes=processes,
        is_steady=is_steady,
        deviation=spread,
    )


def _names(points: Sequence[Point]) -> list[str]:
    """Return each point in words, with the settings that differ among the points of its adapter and phase."""
    every = zip(points, settings_of_each(points), strict=True)
    return [f"{point_name(point)}, {more}" if more else point_name(point) for point, more in every]


def is_measurable(judged: Judged, host: int) -> bool:
    """Whether the rounds of a host take so much longer that the clock can tell it."""
    return bool(judged.longer_s[host] >= CLOCK_ERROR_S)


def _steady(rates: HostRates, scope: Scope) -> tuple[Integers, Booleans]:
    """Return the number of processes of each host, and whether they leave no doubt that the host is slower.

    The value of a process is the mean of its logarithms relative to the median of the hosts. The mean of the
    processes must be below 0 by the one-sided t-test at 1 %. The score does not know that the processes of a
    host vary much more than those of the others: such a host is not named for a few bad ones.
    """
    from scipy.special import stdtrit

    own = np.concatenate([rates.of_points[point] for point in scope.points])
    point = rates.point[own]
    values = rates.log_rate[own] - rates.usual[point]
    _, first, process = np.unique(rates.process[own], return_index=True, return_inverse=True)
    of_process = np.bincount(process, weights=values) / np.bincount(process)
    host, number = rates.host[own][first], len(rates.hosts)
    count = np.bincount(host, minlength=number)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(host, weights=of_process, minlength=number) / count
        squares = np.bincount(host, weights=(of_process - mean[host]) ** 2, minlength=number)
        error = np.sqrt(squares / (count - 1) / count)
        least = stdtrit(np.maximum(count - 1, 1), 1 - _OWN_LEVEL) * error
    return count, (count >= FEWEST_PROCESSES) & (mean < -np.nan_to_num(least, nan=np.inf))
