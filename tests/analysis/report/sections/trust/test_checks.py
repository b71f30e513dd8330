"""Tests of l2sweep.analysis.report.sections.trust.checks."""

from __future__ import annotations

import pytest
from made_reports import made_rows, made_source, source_of

from l2sweep.analysis.report.build import build_report
from l2sweep.analysis.report.contents.trust import Check
from l2sweep.analysis.report.source import ReportSource


def answers(source: ReportSource) -> dict[str, Check]:
    return {one.name: one for one in build_report(source).trust.checks}


def test_the_checks_are_in_the_order_of_the_page() -> None:
    assert list(answers(made_source(sizes_kb=(256,)))) == [
        *("coldness", "verification", "failures", "controls", "drift", "environment")
    ]


def test_keys_are_counted_from_the_rows_of_adapters() -> None:
    source = made_source(sizes_kb=(256,))
    found = build_report(source).trust.verified
    rows = source.rounds[source.rounds["adapter_type"] != "fio"]
    loads, lookups = rows[rows["phase"] == "load"], rows[rows["phase"] == "lookup"]
    assert found.loaded_keys == loads["keys_ok"].sum()
    assert found.verified_keys == loads["verified_keys"].sum()
    assert found.sampled_keys == loads["sampled_keys"].sum()
    assert found.mismatched_keys == found.false_hits == found.false_misses == 0
    assert found.looked_up_keys == lookups["keys_requested"].sum()
    check = answers(source)["verification"]
    assert check.state == "good"
    assert check.sentence.startswith(
        f"All {found.loaded_keys:,} loaded keys were compared byte by byte; none had"
    )


@pytest.mark.parametrize(
    ("phase", "changes", "state", "words"),
    [
        ("load", {"mismatched_keys": 1}, "bad", "18 had wrong bytes"),
        ("lookup", {"false_hits": 1}, "bad", "18 found a key that was not stored"),
        ("load", {"verified_keys": 0}, "good", "0 were compared byte by byte, and 144 in two words of each"),
        ("load", {"verified_keys": 0, "sampled_keys": 0}, "warning", "None of 144 loaded keys was compared"),
    ],
)
def test_what_was_found_and_what_was_not_checked_is_said(
    phase: str, changes: dict[str, int], state: str, words: str
) -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    for row in rounds:
        if row["phase"] == phase:
            row.update(changes)
    found = answers(source_of(rounds, points))["verification"]
    assert found.state == state
    assert words in found.sentence


def test_failures_are_counted_in_processes_and_rounds() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    good = answers(source_of(rounds, points))["failures"]
    assert good.sentence == "None of 3 processes failed, and all 54 measured rounds are ok."
    points[1].update(status="crashed", detail="signal 11")
    bad = next(row for row in rounds if row["point_index"] == 2)
    bad.update(status="error", duration_s=None)
    points[2].update(status="failed")
    found = answers(source_of(rounds, points))["failures"]
    assert found.state == "bad"
    assert found.sentence == (
        "2 of 3 processes did not end well (1 crashed, 1 failed), and 1 of 54 measured rounds are not ok."
    )


def test_a_drift_of_a_phase_is_a_warning_with_its_numbers() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,))
    assert answers(source_of(rounds, points))["drift"].state == "good"
    for row in rounds:
        if row["phase"] == "load":
            row["duration_s"] *= 1 + 0.05 * row["round"]
    source = source_of(rounds, points)
    found = answers(source)["drift"]
    (load,) = [one for one in build_report(source).drift.phases if one.phase == "load"]
    assert found.state == "warning"
    assert found.sentence.startswith(
        "Durations drifted: from the first to the last half of the rounds of a process, the duration of a "
        f"load changed by {100 * (load.median_ratio - 1):+.1f}% (9 processes, p={load.p:.2g})"
    )


def test_two_kernels_among_the_processes_are_a_warning() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    assert answers(source_of(rounds, points))["environment"].state == "good"
    points[0]["kernel"] = "Linux 6.8"
    found = answers(source_of(rounds, points))["environment"]
    assert found.state == "warning"
    assert found.sentence == "Properties that differ among the processes: kernel."
    assert found.details == ("kernel: Linux 6.1, Linux 6.8.",)
