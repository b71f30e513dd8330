"""Tests of l2sweep.analysis.report.sections.failures."""

from __future__ import annotations

from made_reports import made_rows, source_of

from l2sweep.analysis.report.build import build_report


def test_a_failure_has_its_point_its_cause_and_its_last_lines() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(2,))
    points[1].update(status="crashed", detail="signal 11 (SIGSEGV)", log_file="sweeps/a/point-00001.1.log")
    report = build_report(
        source_of(rounds, points, read_log=lambda log_file: (f"end of {log_file}", "Segmentation fault"))
    )
    (failure,) = report.failures
    assert report.all_failures == 1
    assert (failure.point_index, failure.repeat, failure.adapter) == (1, 1, "fs")
    assert (failure.data_size_kb, failure.num_keys, failure.in_flight) == (256, 4, 2)
    assert (failure.phase, failure.status, failure.cause) == ("all", "crashed", "signal 11 (SIGSEGV)")
    assert failure.last_lines == ("end of sweeps/a/point-00001.1.log", "Segmentation fault")


def test_an_attempt_that_was_repeated_with_success_is_no_failure() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,), repeats=1)
    first = {**points[0], "status": "crashed"}
    points[0]["attempt"] = 2
    for row in rounds:
        row["attempt"] = 2
    assert build_report(source_of(rounds, [first, *points])).failures == ()


def test_many_failures_are_counted_and_not_all_shown() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,), repeats=120, rounds=1)
    for row in points:
        row.update(status="timeout", log_file="sweeps/a/b.log")
    report = build_report(source_of(rounds, points, read_log=lambda _: ("line",)))
    assert (report.all_failures, len(report.failures)) == (120, 100)
    assert sum(bool(one.last_lines) for one in report.failures) == 20
