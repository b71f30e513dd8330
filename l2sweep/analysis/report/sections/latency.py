"""Section 3: distributions of submit latencies, and their percentiles against depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from l2sweep.analysis.report.contents.points import PointRow
from l2sweep.analysis.report.contents.timing import DepthLatency, Latency, LatencyCurve
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.rounds.source import Integers

MOST_CURVES = 24
"""More curves are not legible."""
MOST_VALUES = 200
"""Values of a curve: a step of 0.5% is hardly wider than a line."""
_PLACE = (
    *("options", "path", "model", "release", "lookup_max_hit_rate", "profile", "lookup_answered_by"),
    "fleet_host",
)
_WORKLOAD = ("data_size_kb", "num_keys")


def latency(measured: Measured) -> Latency:
    """Return the submit latencies.

    Args:
        measured: The rows.
    """
    sizes = measured.submit_latencies.sizes
    group = measured.group_of_point
    # Of a trace, the latencies are those of its seconds, and of a profiled point those of the profiler.
    known = [
        place
        for place, row in enumerate(measured.points)
        if sizes[group[place]] and row.trace is None and row.profile is None
    ]
    chosen = known if len(known) <= MOST_CURVES else _fastest(measured.points, known)[:MOST_CURVES]
    among = [measured.points[place] for place in chosen]
    choice = ""
    if len(chosen) < len(known):
        choice = (
            f"Shown: {len(chosen)} of {len(known)} points and phases, the one with the most throughput of "
            "each adapter, phase and state of the page cache."
        )
    by_depth = _by_depth(measured.points, known)
    not_measured = []
    if not chosen:
        not_measured.append("Not measured: submit latencies.")
    if not by_depth:
        not_measured.append(
            "Not measured: submit latency against depth. No adapter has two values of in_flight with the "
            "rest equal and two submits or more at each."
        )
    return Latency(
        curves=tuple(_curve(measured, place, among) for place in chosen),
        all_curves=len(known),
        choice=choice,
        by_depth=tuple(by_depth),
        not_measured=tuple(not_measured),
    )


def _fastest(points: Sequence[PointRow], known: Sequence[int]) -> list[int]:
    """Return the point with the most throughput of each adapter, phase and state of the page cache."""
    best: dict[Any, int] = {}
    for place in known:
        row = points[place]
        key = (row.phase, row.is_control, row.adapter, row.cache_state)
        if key not in best or _rate(row) > _rate(points[best[key]]):
            best[key] = place
    return list(best.values())


def _rate(row: PointRow) -> float:
    return row.mib_per_s or row.keys_per_s or 0.0


def _curve(measured: Measured, place: int, among: Sequence[PointRow]) -> LatencyCurve:
    row, samples = measured.points[place], measured.submit_latencies
    group = measured.group_of_point[place]
    start, size = int(samples.starts[group]), int(samples.sizes[group])
    # Above the first submit that was given up, the share is not known.
    finished = samples.values[start : start + int(samples.known[group])]
    shown: Integers = np.arange(len(finished))
    if len(finished) > MOST_VALUES:
        shown = np.unique(np.round(np.linspace(0, len(finished) - 1, MOST_VALUES)).astype(np.int64))
    alike = [other for other in among if (other.phase, other.adapter) == (row.phase, row.adapter)]
    return LatencyCurve(
        adapter=row.adapter,
        is_control=row.is_control,
        label=label_of(row, alike, (*_WORKLOAD, "in_flight")),
        phase=row.phase,
        cache_state=row.cache_state,
        data_size_kb=row.data_size_kb,
        num_keys=row.num_keys,
        in_flight=row.in_flight,
        submits=size,
        unfinished=int(samples.bounds[group]),
        latency_s=tuple(finished[shown].tolist()),
        fraction=tuple(((shown + 1) / size).tolist()),
    )


def _by_depth(points: Sequence[PointRow], known: Sequence[int]) -> list[DepthLatency]:
    groups: dict[Any, list[int]] = {}
    for place in known:
        row = points[place]
        if row.submit_p50_s is not None:
            workload = tuple(getattr(row, name) for name in (*_WORKLOAD, *_PLACE))
            groups.setdefault((row.phase, row.cache_state, row.adapter, workload), []).append(place)
    found = []
    for (phase, state, adapter, _), own in groups.items():
        depths = {points[place].in_flight for place in own}
        if len(depths) < 2 or len(depths) < len(
            own
        ):  # several at one depth differ in more than this page has
            continue
        own = sorted(own, key=lambda place: points[place].in_flight)
        alike = [
            points[others[0]]
            for key, others in groups.items()
            if key[:3] == (phase, state, adapter) and len(others) > 1
        ]
        label = label_of(points[own[0]], alike, _WORKLOAD)
        found.append(DepthLatency(adapter, points[own[0]].is_control, label, phase, state, tuple(own)))
    return found


def label_of(row: PointRow, among: Sequence[PointRow], workload: Sequence[str]) -> str:
    """Return in what a row differs from others, such as ``num_workers=4 in_flight=8``.

    Args:
        row: The row.
        among: All rows of its kind.
        workload: The fields of the workload that may be named.
    """
    parts = []
    for name in (*_PLACE, *workload):
        if len({getattr(other, name) for other in among}) > 1:
            value = getattr(row, name)
            parts.append(str(value) if name == "options" else f"{name}={'-' if value is None else value}")
    return " ".join(parts)
