"""Say why two sets of samples have nothing in common."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from l2sweep.analysis.compare.rows.samples import Point, Samples

_SIDES = ("base", "candidate")
_MOST_POINTS = 200
"""Pairs of the first points of both sides that are compared, so that a large sweep costs no time."""
_FIELDS = (
    *("phase", "num_keys", "in_flight", "data_size_kb", "lookup_max_hit_rate", "model", "cache_state"),
    *("lookup_answered_by", "fleet_host"),
)


def why_nothing_in_common(samples: Samples) -> str:
    """Return why no point can be compared, and what differs between the nearest ones."""
    own = [
        [samples.points[index] for index in np.unique(samples.point[samples.side == side])] for side in (0, 1)
    ]
    for side in (0, 1):
        if not own[side]:
            return _why_empty(samples, side)
    base, candidate = own
    pairs = [(one, two) for one in base[:_MOST_POINTS] for two in candidate[:_MOST_POINTS]]
    one, two = min(pairs, key=lambda pair: len(list(_differing(*pair))))
    differing = "; ".join(_differing(one, two))
    return (
        f"base and candidate have no point and phase in common ({len(base)} and {len(candidate)}); "
        f"the nearest ones, {one.adapter} {one.phase} and {two.adapter} {two.phase}, differ in {differing}"
    )


def _why_empty(samples: Samples, side: int) -> str:
    failed = [failure for failure in samples.failures if failure.side == side]
    name, sweeps = _SIDES[side], ", ".join(samples.nights[side][:3]) or "no sweep"
    if not failed:
        return f"the {name} ({sweeps}) has no complete process"
    return (
        f"the {name} ({sweeps}) has no complete process: {len(failed)} failed, the first one with "
        f"{failed[0].reason}"
    )


def _differing(one: Point, two: Point) -> Iterator[str]:
    specs = [json.loads(point.spec) for point in (one, two)]
    for name in sorted(specs[0].keys() | specs[1].keys()):
        values = [spec.get(name, "-") for spec in specs]
        if values[0] != values[1]:
            yield f"adapter.{name} ({values[0]}, {values[1]})"
    for name in _FIELDS:
        values = [getattr(point, name) for point in (one, two)]
        if values[0] != values[1]:
            yield f"{name} ({values[0]}, {values[1]})"
    if (
        one.point_id != two.point_id
        and specs[0] == specs[1]
        and all(getattr(one, name) == getattr(two, name) for name in _FIELDS)
    ):
        yield f"another option, such as rounds or the seed (point_id {one.point_id}, {two.point_id})"
