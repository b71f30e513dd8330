"""The view that adds the report to another view."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console
from sample_rows import point_row, round_row
from shipped import point

from l2sweep.analysis.statistics import summarise
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.plan import Plan, PlannedPoint
from l2sweep.sweep.report.report_view import view_with_report
from l2sweep.sweep.terminal.point_view import PointView
from l2sweep.sweep.terminal.table_view import TableView
from l2sweep.sweep.terminal.view import SweepView

PLANNED = PlannedPoint(0, 0, 0, point())


def show(sweep: SweepConfig, *, is_single: bool = True, failed: bool = False) -> None:
    def make(console: Console) -> SweepView:
        return PointView(console, sweep) if is_single else TableView(console, sweep)

    view = view_with_report(sweep, make, is_single=is_single)
    view.planned(Plan((PLANNED,), ()), [PLANNED], 0)
    view.started(PLANNED)
    row = point_row(status="failed", detail="why") if failed else point_row()
    view.ended(PLANNED, PointResult([row], [round_row()]), [summarise("store", [round_row()])])
    view.note("a note")
    view.finished()


def sweep(**options: object) -> SweepConfig:
    return SweepConfig(sweep_id="one", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_single", [True, False])
def test_json_stands_alone_on_standard_output(capsys: pytest.CaptureFixture[str], is_single: bool) -> None:
    show(sweep(report_format="json"), is_single=is_single)
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert [one["phase"] for one in report["points"][0]["phases"]] == ["store"]
    assert report["notes"][0] == "a note"
    assert "a note" in err
    assert "Records: results/rounds" in err


def test_without_an_option_the_report_is_the_other_views(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    view = PointView(console, sweep())
    assert view_with_report(sweep(), lambda _: view) is view


def test_a_quiet_sweep_writes_the_file_only(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    show(sweep(report_format="json", quiet=True, report_file=str(file)))
    assert capsys.readouterr() == ("", "")
    assert json.loads(file.read_text())["points"][0]["status"] == "ok"


def test_the_file_of_a_point_holds_its_sections(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "r.txt"
    show(sweep(report_file=str(file)), failed=True)
    text = file.read_text()
    assert text.startswith("================= L2 Adapter Benchmark Result ")
    assert text.endswith("=\nfailed: why\n")
    assert set(text.splitlines()) <= set(capsys.readouterr().out.splitlines())


def test_the_file_of_a_sweep_holds_its_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "r.txt"
    show(sweep(report_file=str(file)), is_single=False)
    lines = file.read_text().splitlines()
    assert lines[0].startswith("All points: adapter_type=fs, ")
    assert set(lines) <= set(capsys.readouterr().out.splitlines())
