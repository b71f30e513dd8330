"""Tests of l2sweep.analysis.report.as_json."""

from __future__ import annotations

import json
from dataclasses import fields

from made_reports import made_rows, made_source, source_of

from l2sweep.analysis.report.as_json import report_mapping, to_json
from l2sweep.analysis.report.build import build_report
from l2sweep.analysis.report.contents.report import Report

HOSTILE = (
    "</script><script>alert(1)</script> \"quotes\" 'and' & \N{HEBREW LETTER ALEF}\N{RIGHT-TO-LEFT OVERRIDE}"
)


def test_the_document_has_every_field_and_strict_json() -> None:
    report = build_report(made_source(sizes_kb=(256,)))
    document = json.loads(to_json(report), parse_constant=lambda name: pytest_fail(name))
    assert list(document) == ["version", *(field.name for field in fields(Report))]
    assert document["made_at"] == "2026-12-01T06:00:00+00:00"
    assert document == report_mapping(report)
    first = document["throughput"]["settings"][0]
    assert first["rate"] == report.throughput.settings[0].rate


def pytest_fail(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_hostile_labels_are_texts() -> None:
    rounds, points = made_rows(
        adapters=("fs",), sizes_kb=(256,), depths=(1,), sweep_name=HOSTILE.ljust(200, "x")
    )
    points[0].update(status="failed", detail=HOSTILE)
    report = build_report(source_of(rounds, points))
    document = json.loads(to_json(report))
    assert document["scope"]["sweep_names"] == [HOSTILE.ljust(200, "x")]
    assert document["title"].startswith(HOSTILE)
    assert document["failures"][0]["cause"] == HOSTILE
