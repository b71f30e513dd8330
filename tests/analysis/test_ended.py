"""Whether a phase is complete whose number of rounds was not fixed, and the line that says why it ended."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sample_rows import Row, auto_point_row, point_row, round_row, rounds_ended

from l2sweep.analysis.ended import requested_phases
from l2sweep.analysis.rounds.auto_rounds import AutoRounds, auto_rounds, ends_of_repeats
from l2sweep.analysis.statistics import PhaseSummary, summarise_point

PHASES = ("store", "lookup", "load")


def rows(phase: str, measured: int, warmups: int = 6, **changes: Any) -> list[Row]:
    return [
        round_row(phase, number + 1, is_warmup=number < warmups, **changes)
        for number in range(warmups + measured)
    ]


def store_of(point: Row, rounds: list[Row]) -> PhaseSummary:
    return summarise_point(PHASES, rounds, [point])[0]


def ended(
    ended_by: str | None, precision: float | None, warmup: str = "steady", measured: int = 12
) -> AutoRounds | None:
    point = auto_point_row(rounds=50, **rounds_ended(ended_by, warmup, precision))
    return auto_rounds("store", point, measured, 6)


def line(*arguments: Any, **options: Any) -> str:
    return str(ended(*arguments, **options))


def test_a_phase_that_ended_is_complete_whatever_the_limit_is() -> None:
    summary = store_of(auto_point_row(), rows("store", 12))
    assert (summary.status, summary.requested_rounds) == ("ok", 12)
    assert str(summary.auto) == "12 rounds, precision 4.1%"


def test_failed_rounds_of_a_phase_that_ended_are_named() -> None:
    rounds = [*rows("store", 11), round_row("store", 18, status="partial", keys_ok=2)]
    assert store_of(auto_point_row(status="failed"), rounds).status == "1 of 12 rounds not ok"


@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_phase_that_did_not_come_to_its_end_is_not_complete(missing: float | None) -> None:
    point = auto_point_row(status="crashed", store_rounds_ended_by=missing, store_precision_reached=missing)
    summary = store_of(point, rows("store", 3))
    assert summary.status == "3 of at most 50 rounds, crashed"
    assert str(summary.auto) == ""


def test_a_phase_without_rounds_is_not_complete() -> None:
    assert store_of(auto_point_row(), []).status == "0 of at most 50 rounds"


def test_a_process_that_crashed_in_a_later_phase_has_measured_the_earlier_ones() -> None:
    point = auto_point_row(status="crashed", load_rounds_ended_by=None)
    rounds = [*rows("store", 12), *rows("lookup", 6), *rows("load", 2)]
    store, lookup, load = summarise_point(PHASES, rounds, [point])
    assert (store.status, lookup.status) == ("ok", "ok")
    assert load.status == "2 of at most 50 rounds, crashed"


def test_a_fixed_number_of_rounds_needs_all_of_them() -> None:
    summary = store_of(point_row(rounds=3, status="crashed"), rows("store", 2))
    assert (summary.status, summary.auto) == ("2 of 3 rounds, crashed", None)
    warm = point_row(rounds=3, status="crashed", warmup_auto=True)
    assert store_of(warm, rows("store", 2)).status == "2 of 3 rounds, crashed"


def test_rows_of_an_earlier_schema_version_have_a_fixed_number() -> None:
    new = {"precision", "max_seconds", "warmup_auto", *rounds_ended(None, None, None)}
    old = {name: value for name, value in point_row(rounds=2).items() if name not in new}
    summary = store_of(old, rows("store", 2))
    assert (summary.status, summary.auto) == ("ok", None)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (line("precision", 0.041), "12 rounds, precision 4.1%"),
        (line("max_rounds", 0.073, measured=50), "max_rounds=50 reached at 7.3%"),
        (line("max_rounds", None, measured=6), "max_rounds=6 reached at an unknown precision"),
        (line("max_seconds", 0.073), "max_seconds=120 reached at 7.3% after 12 rounds"),
        (line("stored_rounds", 0.073), "no stored keys left at 7.3% after 12 rounds"),
        (
            line("precision", 0.041, warmup="max_warmup_rounds"),
            "12 rounds, precision 4.1%, durations still drifted after 6 warm-up rounds",
        ),
        (line(None, None, warmup="stored_rounds"), "durations still drifted after 6 warm-up rounds"),
    ],
)
def test_one_line_says_why_the_rounds_ended(found: str, text: str) -> None:
    assert found == text


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ([ended("precision", 0.041)], "12 rounds, precision 4.1%"),
        ([ended("precision", 0.041), ended("precision", 0.041)], "12 rounds, precision 4.1%"),
        (
            [ended("precision", 0.048, measured=9), ended("precision", 0.039, measured=14)],
            "9..14 rounds, precision 3.9%..4.8%",
        ),
        (
            [ended("precision", 0.041), ended("max_rounds", 0.073, measured=50), ended("precision", 0.041)],
            "2 of 3 repeats: 12 rounds, precision 4.1%; 1 of 3 repeats: max_rounds=50 reached at 7.3%",
        ),
        (
            [ended("precision", 0.041), ended("precision", 0.041, warmup="max_warmup_rounds")],
            "1 of 2 repeats: 12 rounds, precision 4.1%; 1 of 2 repeats: 12 rounds, precision 4.1%, durations "
            "still drifted after 6 warm-up rounds",
        ),
        ([ended(None, None), ended("precision", 0.041)], "1 of 2 repeats: 12 rounds, precision 4.1%"),
        ([None, ended(None, None)], None),
    ],
)
def test_repeats_that_ended_alike_are_one_text(ends: list[AutoRounds | None], text: str | None) -> None:
    assert ends_of_repeats(ends) == text


@pytest.mark.parametrize(
    ("changes", "phases"),
    [
        ({}, ("store", "lookup", "load")),
        ({"through": None, "concurrent": None}, ("store", "lookup", "load")),
        ({"through": "storage_manager"}, ("store", "load")),
        ({"through": "storage_manager", "only": "load"}, ("load",)),
        ({"through": "storage_manager", "concurrent": True}, ("store", "load", "mixed_store", "mixed_load")),
    ],
)
def test_the_path_of_a_point_says_which_phases_it_has(changes: Row, phases: tuple[str, ...]) -> None:
    assert requested_phases(point_row(**{"only": None, **changes})) == phases
