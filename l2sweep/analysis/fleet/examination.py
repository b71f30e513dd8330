"""Examine the rows of a fleet: which hosts are slow, and which failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from l2sweep.analysis.compare.headline import counted
from l2sweep.analysis.compare.rows.environment import POINT_ROW_COLUMNS
from l2sweep.analysis.fleet import environment
from l2sweep.analysis.fleet.failures import failures_of_hosts
from l2sweep.analysis.fleet.rates import HostRates, host_rates
from l2sweep.analysis.fleet.result import VERDICTS, Finding, FleetResult, HostFailure, HostResult, Verdict
from l2sweep.analysis.fleet.robust import FEWEST_HOSTS, lowest_significant
from l2sweep.analysis.fleet.scopes import FEWEST_PROCESSES, Judged, is_measurable, judged, scopes
from l2sweep.errors import RequestError

THRESHOLD = 0.05
"""A host whose rate is less than 5 % below the median is not named, unless the user says so."""
LEVEL = 0.01
"""Largest share of fleets without a slow host in which a host is named. benchmarks/fleet.py measures it."""
POINTS_READ = tuple(dict.fromkeys((*POINT_ROW_COLUMNS, *environment.POINTS_READ)))
"""The columns of ``points`` that are read."""
_CONSPICUOUS = 0.05
"""Share of equal fleets whose slowest host deviates as much, up to which a host is called inconclusive."""


def examine(
    rounds: pa.Table, points: pa.Table, *, threshold: float = THRESHOLD, level: float = LEVEL
) -> FleetResult:
    """Tell which hosts of a fleet are slow, and which failed. ``docs/fleet.md`` describes the method.

    Args:
        rounds: Rows of ``rounds`` of sweeps that measured the same points on several hosts, with the columns
            ``l2sweep.analysis.fleet.rates.ROUNDS_READ``.
        points: Rows of ``points`` of the same sweeps, with the columns ``POINTS_READ``.
        threshold: The least difference for which a host is named, as a share: 0.05 is 5 %.
        level: Largest share of fleets without a slow host in which one is named.

    Raises:
        RequestError: There is only one host, or no point was completed on several of them.
    """
    rates = host_rates(rounds, points)
    by_host, everywhere = failures_of_hosts(rates)
    _require_hosts(rates, has_failures=bool(by_host))
    every = [judged(rates, scope) for scope in scopes(rates.points)]
    found = [
        _host(rates, every, host, by_host.get(name, ()), threshold, level)
        for host, name in enumerate(rates.hosts)
    ]
    named = [one.host for one in found if one.findings or one.failures]
    differing = environment.differences(points, named)
    phases = tuple(dict.fromkeys(point.phase for point in rates.points))
    sweeps = sorted(name for name in pc.unique(rounds.column("sweep_id")).to_pylist() if name is not None)
    return FleetResult(
        sweeps=tuple(sweeps),
        phases=phases,
        points=len(rates.points),
        threshold=threshold,
        level=level,
        hosts=tuple(
            replace(one, environment=differing.get(one.host, ())) for one in sorted(found, key=_slowest_first)
        ),
        visible=_visible(every, threshold, level),
        notes=_notes(rates, everywhere),
    )


def _require_hosts(rates: HostRates, *, has_failures: bool) -> None:
    if len(rates.hosts) < 2:
        name = f"only {rates.hosts[0]}" if rates.hosts else "no host"
        raise RequestError([f"fleet: needs rows of several hosts; these sweeps have {name}"])
    if rates.points or has_failures:
        return
    failed = ""
    if rates.failures:
        number = counted(len(rates.failures), "process", "es")
        failed = f"; {number} failed, the first one with {rates.failures[0].reason}"
    raise RequestError(
        [
            f"fleet: no point and phase was completed on several of {len(rates.hosts)} hosts"
            f"{failed}; fleet=true measures each point on each host"
        ]
    )


def _host(
    rates: HostRates,
    every: Sequence[Judged],
    host: int,
    failures: tuple[HostFailure, ...],
    threshold: float,
    level: float,
) -> HostResult:
    name = rates.hosts[host]
    findings = findings_of(every, host, threshold, level)
    reason = "" if findings else _why_open(every, host, threshold, level)
    verdict: Verdict = "slow" if findings else "failed" if failures else "inconclusive" if reason else "ok"
    own = rates.host == host
    by_phase = {one.scope.phase: one for one in every if one.scope.phase and _is_of_phase(one, rates)}
    return HostResult(
        host=name,
        verdict=verdict,
        reason=reason if verdict == "inconclusive" else "",
        relative_rate=_known(every[0].relative[host]) if every else None,
        by_phase={phase: _known(one.relative[host]) for phase, one in by_phase.items()},
        score=_known(every[0].score[host]) if every else None,
        p=every[0].corrected_p(host) if every and not np.isnan(every[0].p[host]) else None,
        points=len(np.unique(rates.point[own])),
        processes=len(np.unique(rates.process[own])),
        findings=findings,
        failures=failures,
    )


def findings_of(
    every: Sequence[Judged], host: int, threshold: float = THRESHOLD, level: float = LEVEL
) -> tuple[Finding, ...]:
    """Return where a host is slow, the widest scope first.

    Args:
        every: The judgements of all scopes, the widest first.
        host: Index of the host.
        threshold: The least difference for which a host is named, as a share.
        level: Largest share of fleets without a slow host in which one is named.
    """
    return tuple(_finding(one, host) for one in every if not _why_not(one, host, threshold, level))


def _is_of_phase(one: Judged, rates: HostRates) -> bool:
    """Whether a scope has all points of its phase."""
    return len(one.scope.points) == sum(point.phase == one.scope.phase for point in rates.points)


def _finding(one: Judged, host: int) -> Finding:
    return Finding(
        where=one.scope.name,
        phase=one.scope.phase,
        points=len(one.scope.points),
        relative_rate=float(one.relative[host]),
        score=float(one.score[host]),
        p=one.corrected_p(host),
    )


def _is_large(one: Judged, host: int, threshold: float) -> bool:
    """Whether a host is so much slower that it may be named."""
    return bool(one.relative[host] <= 1 - threshold) and is_measurable(one, host)


def _why_not(one: Judged, host: int, threshold: float, level: float) -> str:
    """Return why a scope does not name a host; empty if it does."""
    if not _is_large(one, host, threshold):
        return "not slower"
    if one.hosts < FEWEST_HOSTS:
        return f"of {one.hosts} hosts none is in the majority"
    if one.processes[host] < FEWEST_PROCESSES:
        number = counted(int(one.processes[host]), "process", "es")
        return f"{number} in {one.scope.name}; {FEWEST_PROCESSES} are needed"
    if one.corrected_p(host) > level:
        least = _least(one, level)
        return (
            f"with {one.hosts} hosts that differ as these do, only {least:.0%} below could be seen".replace(
                "%", " %"
            )
        )
    if not one.is_steady[host]:
        return f"its processes in {one.scope.name} differ too much"
    return ""


def _why_open(every: Sequence[Judged], host: int, threshold: float, level: float) -> str:
    """Return why a host that is not named may be slow all the same; empty if nothing tells so."""
    if not every or np.isnan(every[0].relative[host]):
        return "it completed nothing that another host completed"
    for one in every:
        is_conspicuous = one is every[0] or one.p[host] <= _CONSPICUOUS
        if is_conspicuous and _is_large(one, host, threshold):
            return _why_not(one, host, threshold, level)
    return ""


def _least(one: Judged, level: float) -> float:
    """Return the least difference of a rate that a scope would find significant, as a share."""
    score = lowest_significant(level * one.scope.weight, one.hosts)
    return float(-np.expm1(-score * one.deviation))


def _visible(every: Sequence[Judged], threshold: float, level: float) -> float | None:
    if not every or every[0].hosts < FEWEST_HOSTS:
        return None
    return max(threshold, _least(every[0], level))


def _notes(rates: HostRates, everywhere: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    found = {
        "that only one host completed": len(rates.completed) - len(rates.points),
        "that failed on every host": len(everywhere),
    }
    return tuple(
        f"not judged: {number} {'point and phase' if number == 1 else 'points and phases'} {what}"
        for what, number in found.items()
        if number
    )


def _slowest_first(one: HostResult) -> tuple[int, float, str]:
    lowest = min((finding.relative_rate for finding in one.findings), default=one.relative_rate or 0.0)
    return VERDICTS.index(one.verdict), lowest, one.host


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
