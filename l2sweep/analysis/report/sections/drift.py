"""Section 3: durations of rounds over time."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from l2sweep.analysis.report.contents.timing import Drift, DriftSeries, PhaseDrift
from l2sweep.analysis.report.measured import PHASES, Measured

if TYPE_CHECKING:
    import pandas as pd

MOST_ROUNDS = 2000
"""Rounds in all series together: about 60 kB of the page."""
_FEWEST_ROUNDS = 4
_FEWEST_PROCESSES = 6
"""As for the interval of a median: the smallest two-sided p of fewer is above 0.05."""
_PROCESS = ["sweep_id", "point_index", "attempt", "phase"]


def drift(measured: Measured) -> Drift:
    """Return the durations of rounds over time, and whether they changed while a process ran.

    Args:
        measured: The rows.
    """
    rows = _relative(measured)
    if rows.empty:
        return Drift((), (), "", "Not measured: round durations over time. No round has a duration.")
    series, shown = _series(rows)
    return Drift(series, tuple(_within_processes(rows)), shown, "")


def _relative(measured: Measured) -> pd.DataFrame:
    """Return the timed rounds with their durations relative to the median of their point and phase."""
    rounds = measured.grouped.runs.rounds
    groups = measured.grouped.group_of_round
    medians = measured.durations.median().values
    is_timed = rounds.known("duration_s") & ~rounds.known("second") & rounds.equal("status", "ok")
    rows = measured.rounds_of(is_timed)
    row_of_group = {group: measured.points[place] for place, group in enumerate(measured.group_of_point)}
    own = [row_of_group[group] for group in groups[is_timed].tolist()]
    ratio = rows["duration_s"].to_numpy() / medians[groups[is_timed]]
    began = rows.groupby("sweep_id")["started_at"].transform("min")
    return rows[[*_PROCESS, "round", "duration_s"]].assign(
        ratio=ratio,
        elapsed_s=(rows["started_at"] - began).dt.total_seconds(),
        adapter=[row.adapter for row in own],
        is_control=[row.is_control for row in own],
        state=[row.cache_state or "" for row in own],
    )


def _series(rows: pd.DataFrame) -> tuple[tuple[DriftSeries, ...], str]:
    """Return the series, and a sentence if they are a choice. Each keeps its share of the rounds."""
    rows = rows.dropna(subset=["elapsed_s"])
    keep = min(1.0, MOST_ROUNDS / max(len(rows), 1))
    found = []
    for (adapter, is_control, phase, state), own in rows.groupby(
        ["adapter", "is_control", "phase", "state"], sort=False
    ):
        ordered = own.sort_values("elapsed_s", kind="stable")
        shown = _evenly(len(ordered), int(len(ordered) * keep))
        found.append(
            DriftSeries(
                adapter=str(adapter),
                is_control=bool(is_control),
                phase=str(phase),
                cache_state=str(state) or None,
                elapsed_s=tuple(ordered["elapsed_s"].to_numpy()[shown].tolist()),
                ratio=tuple(ordered["ratio"].to_numpy()[shown].tolist()),
                rounds=len(ordered),
            )
        )
    found.sort(key=lambda one: (PHASES.index(one.phase) if one.phase in PHASES else 9, one.is_control))
    number = sum(len(one.ratio) for one in found)
    shown_text = f"Shown: {number:,} of {len(rows):,} rounds, evenly chosen." if number < len(rows) else ""
    return tuple(found), shown_text


def _evenly(size: int, count: int) -> NDArray[np.int64]:
    """Return positions that are evenly chosen among a number of values, the first and the last included."""
    if count >= size:
        return np.arange(size)
    return np.unique(np.round(np.linspace(0, size - 1, max(count, 2))).astype(np.int64))


def _within_processes(rows: pd.DataFrame) -> list[PhaseDrift]:
    """Return the drift within the processes of adapters, for each phase.

    The first and the last half of the rounds of a process are compared; a middle round belongs to neither.
    The unit is a process. Source of the test: Wilcoxon, "Individual Comparisons by Ranking Methods",
    Biometrics Bulletin 1 (1945).
    """
    from scipy import stats

    ordered = rows[~rows["is_control"]].sort_values([*_PROCESS, "round"], kind="stable")
    durations_s, phases = ordered["duration_s"].tolist(), ordered["phase"].tolist()
    logs: dict[str, list[float]] = {}
    # Thousands of processes: pandas takes a millisecond for each, a list a few microseconds.
    sizes = ordered.groupby(_PROCESS).size().to_numpy()
    for end, size in zip(np.cumsum(sizes).tolist(), sizes.tolist(), strict=True):
        if size < _FEWEST_ROUNDS:
            continue
        values, half = durations_s[end - size : end], size // 2
        ratio = statistics.median(values[-half:]) / statistics.median(values[:half])
        logs.setdefault(phases[end - 1], []).append(math.log(ratio))
    found = []
    for phase in sorted(logs, key=lambda name: PHASES.index(name) if name in PHASES else 9):
        own_logs = np.array(logs[phase])
        p = None
        if len(own_logs) >= _FEWEST_PROCESSES and np.any(own_logs != 0):
            p = float(stats.wilcoxon(own_logs).pvalue)
        found.append(PhaseDrift(phase, len(own_logs), float(np.exp(np.median(own_logs))), p))
    return found
