"""What a host failed at, and other hosts completed."""

from __future__ import annotations

from l2sweep.analysis.compare.headline import point_name
from l2sweep.analysis.compare.rows.samples import Point
from l2sweep.analysis.fleet.rates import HostRates
from l2sweep.analysis.fleet.result import HostFailure

Key = tuple[str, str]
"""The id of a point, and the phase; ``all`` if the phase is not known."""


def failures_of_hosts(rates: HostRates) -> tuple[dict[str, tuple[HostFailure, ...]], list[Key]]:
    """Return what each host failed at while another one completed it, and what failed on every host.

    What fails everywhere tells nothing of a host.

    Args:
        rates: What was completed, and what failed.
    """
    points: dict[Key, Point] = {}
    completed: dict[Key, set[str]] = {}
    for point, hosts in rates.completed.items():
        for key in ((point.point_id, point.phase), (point.point_id, "all")):
            points.setdefault(key, point)
            completed.setdefault(key, set()).update(hosts)
    reasons: dict[str, dict[Key, list[str]]] = {}
    everywhere: dict[Key, None] = {}
    for failure in rates.failures:
        key, host = (failure.point_id, failure.phase), str(failure.fleet_host)
        if completed.get(key, set()) - {host}:
            reasons.setdefault(host, {}).setdefault(key, []).append(failure.reason)
        elif key not in completed:
            everywhere[key] = None
    found = {
        host: tuple(
            HostFailure(_name(points[key], key[1]), len(of_key), of_key[0]) for key, of_key in by_key.items()
        )
        for host, by_key in reasons.items()
    }
    return found, list(everywhere)


def _name(point: Point, phase: str) -> str:
    if phase != "all":
        return point_name(point)
    return f"{point.adapter} at {point.data_size_kb} KiB, {point.in_flight} in flight"
