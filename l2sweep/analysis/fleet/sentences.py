"""Tell in sentences which hosts are slow or failed, where, and how sure that is."""

from __future__ import annotations

from l2sweep.analysis.compare.headline import counted, listed
from l2sweep.analysis.fleet.result import Finding, FleetResult, HostResult
from l2sweep.analysis.fleet.robust import FEWEST_HOSTS

_CLEARLY = 0.02
"""Difference of two relative rates from which the lower one is named as well."""


def sentences(result: FleetResult) -> tuple[str, ...]:
    """Return the answer, such as ``nvme-03 is slow: its rate is 14.8 % below the median of 8 hosts ...``.

    Args:
        result: The result.
    """
    found = [_slow(one, len(result.hosts)) for one in result.slow]
    found += [_failed(one) for one in result.failed]
    return tuple(found) or (_quiet(result),)


def below(relative_rate: float) -> str:
    """Return a relative rate in words, such as ``14.8 % below``.

    Args:
        relative_rate: Rate relative to the median of the hosts.
    """
    return f"{abs(1 - relative_rate):.1%} {'below' if relative_rate < 1 else 'above'}".replace("%", " %")


def chance(p: float) -> str:
    """Return a p-value, such as ``p = 0.0012``."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.4f}"


def _slow(one: HostResult, hosts: int) -> str:
    widest = one.findings[0]
    text = (
        f"{one.host} is slow: its rate is {below(widest.relative_rate)} the median of {hosts} hosts in "
        f"{widest.where} ({_sure(widest)})"
    )
    worst = min(one.findings, key=lambda finding: finding.relative_rate)
    if worst.relative_rate < widest.relative_rate - _CLEARLY:
        text += f", most in {worst.where}: {below(worst.relative_rate)} ({_sure(worst)})"
    return text


def _sure(finding: Finding) -> str:
    return f"score {finding.score:.1f}, corrected {chance(finding.p)}"


def _failed(one: HostResult) -> str:
    places = [f"{failure.where} ({failure.reason})" for failure in one.failures]
    number = counted(one.failed_processes, "process", "es")
    return f"{one.host} failed: {number} that other hosts completed: {listed(places)}"


def _quiet(result: FleetResult) -> str:
    number = counted(len(result.hosts), "host")
    if len(result.hosts) < FEWEST_HOSTS:
        first, last = result.hosts[0], result.hosts[-1]
        rates = [one.relative_rate for one in (first, last)]
        apart = ""
        if rates[0] is not None and rates[1] is not None:
            apart = f": {first.host} has {rates[0] / rates[1]:.1%} of the rate of {last.host}".replace(
                "%", " %"
            )
        return f"{number}: none is in the majority, so none is named as slow{apart}"
    open_hosts = [one.host for one in result.hosts if one.verdict == "inconclusive"]
    more = f", {len(open_hosts)} inconclusive: {listed(open_hosts)}" if open_hosts else ""
    return f"none of {number} is slow or failed{more}"
