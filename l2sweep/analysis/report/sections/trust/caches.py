"""Section 2: were the cold phases cold?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from l2sweep.analysis.compare.headline import counted
from l2sweep.analysis.control import CONTROLS, adapter_name_of_row
from l2sweep.analysis.report.contents.trust import CacheStateCount, Check, CheckState
from l2sweep.analysis.report.measured import Measured

_PHASES = ("load", "lookup")
_PROVEN = ("cold", "bypassed")


def cache_states(measured: Measured) -> tuple[CacheStateCount, ...]:
    """Return how many processes ran loads and lookups in each state of the page cache.

    Controls of the harness keep their data in memory and are not counted.

    Args:
        measured: The rows.
    """
    processes: Counter[tuple[str, str | None]] = Counter()
    of_rounds: Counter[tuple[str, str | None]] = Counter()
    for row, number in _runs(measured):
        if row["phase"] in _PHASES and number and CONTROLS.get(adapter_name_of_row(row)) != "harness":
            key = (row["phase"], row["cache_state"])
            processes[key] += 1
            of_rounds[key] += number
    ordered = sorted(processes, key=lambda key: (_PHASES.index(key[0]), key[1] or ""))
    return tuple(CacheStateCount(*key, processes[key], of_rounds[key]) for key in ordered)


def coldness(measured: Measured, states: Sequence[CacheStateCount]) -> Check:
    """Answer whether the loads that were to be cold were cold.

    Args:
        measured: The rows.
        states: What :func:`cache_states` returns.
    """
    found = _asked_cold(measured)
    others = [one for one in states if one.phase == "load"]
    words = ", ".join(f"{one.processes} {one.cache_state or 'without a state'}" for one in others)
    details = [f"Processes with loads, by state of the page cache: {words}."] if others else []
    if not found:
        sentence = (
            "No cold load was asked for: the numbers of loads are not those of the device."
            if others
            else "No load was measured."
        )
        return Check("coldness", "Coldness", "unknown", sentence, tuple(details))
    total = sum(found.values())
    proven = sum(found[state] for state in _PROVEN)
    warm = sum(count for state, count in found.items() if "warm" in (state or "").split("/"))
    if proof := _proof(measured):
        details.append(proof)
    processes = counted(total, "process", "es")
    state: CheckState
    if proven == total:
        sentence = f"All loads that were to be cold were ({processes}): the kernel counted their reads."
        state = "good"
    else:
        rest = ", ".join(
            f"{count} {name or 'without a state'}" for name, count in found.items() if name not in _PROVEN
        )
        sentence = f"Proven cold: {proven} of {processes} whose loads were to be cold. The others: {rest}."
        state = "bad" if warm else "warning"
    return Check("coldness", "Coldness", state, sentence, tuple(details))


def _asked_cold(measured: Measured) -> Counter[str | None]:
    """Return the states of the loads of processes that were to be cold."""
    points = measured.source.points
    asked = points[points["cache_mode"] == "cold"]
    attempts = set(zip(asked["sweep_id"], asked["point_index"], asked["attempt"], strict=True))
    return Counter(
        row["cache_state"]
        for row, number in _runs(measured)
        if row["phase"] == "load"
        and number
        and (row["sweep_id"], row["point_index"], row["attempt"]) in attempts
        and CONTROLS.get(adapter_name_of_row(row)) != "harness"
    )


def _runs(measured: Measured) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the columns of each phase run, with the number of its measured rounds."""
    runs = measured.grouped.runs
    rounds = np.bincount(runs.of_round, minlength=len(runs))
    names = list(runs.columns)
    for values, number in zip(
        zip(*(column.tolist() for column in runs.columns.values()), strict=True), rounds.tolist(), strict=True
    ):
        yield dict(zip(names, values, strict=True)), number


def _proof(measured: Measured) -> str:
    """Return the weakest proof of all cold loads in a sentence; empty if nothing was counted."""
    points = measured.source.points
    cold = points[(points["cache_mode"] == "cold") & (points["phase"] == "load")]
    cold = cold[cold["cache_state"].isin(_PROVEN)]
    parts = []
    resident, read = cold["resident_after_fraction"].dropna(), cold["device_read_fraction"].dropna()
    if len(resident):
        parts.append(f"at most {resident.max():.1%} of their pages were in the page cache at the start")
    if len(read):
        parts.append(f"at least {read.min():.1%} of their bytes came from the device")
    text = " and ".join(parts)
    return f"Of the loads that are cold, {text}." if parts else ""
