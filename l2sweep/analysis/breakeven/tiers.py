"""The tiers that sweeps measured: an adapter with its options, at one place and one temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from l2sweep.analysis.breakeven.bandwidth import Curve
from l2sweep.analysis.tune.processes import TEMPERATURES, processes
from l2sweep.analysis.tune.recommendation import NO_ADAPTERS
from l2sweep.analysis.tune.settings import Setting, settings
from l2sweep.analysis.tune.spec_fields import SpecFields
from l2sweep.errors import RequestError

if TYPE_CHECKING:
    import pandas as pd

COMMAND = "breakeven"
"""Name of the command, for its messages."""
_POINT = ["sweep_id", "point_index"]


@dataclass(frozen=True)
class Tier:
    """Where a KV cache can be loaded from, as it was measured.

    Attributes:
        at: The temperature: cold, hot, claimed or uncontrolled.
        spec: What the adapter spec says.
        host: Host name.
        lmcache_version: Release of LMCache.
        loads: Throughput of loads (MiB/s).
        lookups: Throughput of lookups of which each finds its key (keys/s); None if there are none.
        no_lookup: Why there are none; empty otherwise.
    """

    at: str
    spec: SpecFields
    host: str
    lmcache_version: str | None
    loads: Curve
    lookups: Curve | None
    no_lookup: str


def tiers(rounds: pd.DataFrame, at: str, points: pd.DataFrame | None = None) -> list[Tier]:
    """Return the tiers that were measured at a temperature. Controls are none.

    Args:
        rounds: Rows of :func:`l2sweep.load_rounds`, of loads and lookups.
        at: A key of :data:`l2sweep.analysis.tune.processes.TEMPERATURES`.
        points: Rows of :func:`l2sweep.load_points` of the same sweeps.

    Raises:
        RequestError: No load of an adapter was measured at this temperature.
    """
    found: dict[object, list[Setting]] = {}
    for one in settings(rounds, "load", at, points, command=COMMAND):
        if one.spec.adapter not in NO_ADAPTERS:
            found.setdefault(_identity(one), []).append(one)
    usable = {key: own for key, own in found.items() if any(one.is_candidate for one in own)}
    if not usable:
        what = "in each setting, a process failed" if found else "only controls were measured"
        raise RequestError([f"{COMMAND}: no load of an adapter can be used at {at}: {what}"])
    lookups, reason = _lookups(rounds, at, points)
    return [
        Tier(
            at=at,
            spec=own[0].spec,
            host=own[0].host,
            lmcache_version=own[0].lmcache_version,
            loads=Curve.of(own),
            lookups=lookups.get(key),
            no_lookup="" if key in lookups else reason,
        )
        for key, own in usable.items()
    ]


def _identity(one: Setting) -> object:
    return (one.spec, one.host, one.lmcache_version)


def _lookups(rounds: pd.DataFrame, at: str, points: pd.DataFrame | None) -> tuple[dict[object, Curve], str]:
    """Return the lookups of the points whose loads had the temperature, and why others have none.

    What is loaded was found, so that lookups of which some were meant to miss do not count.
    A lookup has no state if an index in memory answers it, or if it need not be cold: it is then as its
    point. If it has another state, such as a lookup whose metadata were not dropped, it does not count.
    """
    import pandas as pd

    loads = processes(rounds, "load", at, points, command=COMMAND)
    own = pd.MultiIndex.from_frame(loads[_POINT])
    finds_all = (rounds["phase"] == "lookup") & (rounds["lookup_max_hit_rate"] == 1)
    of_points = rounds[finds_all & pd.MultiIndex.from_frame(rounds[_POINT]).isin(own)]
    if of_points.empty:
        return {}, "none was measured with lookup_max_hit_rate=1"
    as_point = of_points.assign(cache_state=of_points["cache_state"].fillna(TEMPERATURES[at][0]))
    try:
        measured = settings(as_point, "lookup", at, points, command=COMMAND)
    except RequestError:
        return {}, f"none was {at}"
    found: dict[object, list[Setting]] = {}
    for one in measured:
        found.setdefault(_identity(one), []).append(one)
    curves = {key: Curve.of(own) for key, own in found.items() if any(one.is_candidate for one in own)}
    return curves, "in each setting, a process failed"
