"""Tests of l2sweep.analysis.report.sections.trust.caches."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from made_reports import made_rows, source_of
from sample_rows import Row

from l2sweep.analysis.report.contents.trust import Check
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.trust.caches import cache_states, coldness


def cold_rows(states: Sequence[str | None]) -> tuple[list[Row], list[Row]]:
    """Return rows of points with a process for each phase; each load has a state of its own."""
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,), repeats=len(states), rounds=2)
    for row in rounds:
        if row["phase"] == "load":
            row["cache_state"] = states[row["point_index"]]
    split = [
        {**row, "phase": phase, "cache_state": states[row["point_index"]] if phase == "load" else None}
        for row in points
        for phase in ("store", "lookup", "load")
    ]
    return rounds, split


def answer(states: Sequence[str | None], mode: str = "cold") -> Check:
    rounds, points = cold_rows(states)
    for row in points:
        row["cache_mode"] = mode
    measured = Measured.of(source_of(rounds, points))
    return coldness(measured, cache_states(measured))


def test_loads_that_the_kernel_saw_are_cold() -> None:
    found = answer(["cold", "cold", "bypassed"])
    assert found.state == "good"
    assert (
        found.sentence == "All loads that were to be cold were (3 processes): the kernel counted their reads."
    )
    assert found.details == (
        "Processes with loads, by state of the page cache: 1 bypassed, 2 cold.",
        "Of the loads that are cold, at most 0.0% of their pages were in the page cache at the start and "
        "at least 98.0% of their bytes came from the device.",
    )


@pytest.mark.parametrize(
    ("states", "state", "sentence"),
    [
        (
            ["cold", "claimed"],
            "warning",
            "Proven cold: 1 of 2 processes whose loads were to be cold. The others: 1 claimed.",
        ),
        (
            ["cold", "warm", "warm"],
            "bad",
            "Proven cold: 1 of 3 processes whose loads were to be cold. The others: 2 warm.",
        ),
        (
            ["uncontrolled"],
            "warning",
            "Proven cold: 0 of 1 process whose loads were to be cold. The others: 1 uncontrolled.",
        ),
    ],
)
def test_a_load_that_is_not_proven_is_not_called_cold(states: list[str], state: str, sentence: str) -> None:
    found = answer(states)
    assert (found.state, found.sentence) == (state, sentence)


def test_hot_loads_are_not_said_to_be_the_device() -> None:
    found = answer(["warm", "warm"], "hot")
    assert found.state == "unknown"
    assert found.sentence == "No cold load was asked for: the numbers of loads are not those of the device."


def test_the_states_are_counted_in_processes_and_rounds() -> None:
    rounds, points = cold_rows(["cold", "cold", "warm"])
    counted = cache_states(Measured.of(source_of(rounds, points)))
    found = {(one.phase, one.cache_state): (one.processes, one.rounds) for one in counted}
    assert found == {("load", "cold"): (2, 4), ("load", "warm"): (1, 2), ("lookup", None): (3, 6)}
