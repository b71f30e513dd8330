"""Figures as files, drawn without a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from whole_report import HOSTILE, empty_report, full_report

from l2sweep.analysis.report.page.figures import write_figures


def test_each_figure_is_written_as_png_and_svg(tmp_path: Path) -> None:
    report = full_report(("fs",), label=HOSTILE)
    folder = tmp_path / "new" / "figures"
    files = write_figures(replace(report, drift=empty_report().drift), folder)
    assert sorted(files) == sorted(folder.iterdir())
    assert {file.stem for file in files} >= {"throughput_load_over_in_flight", "heat_map_load", "break_even"}
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".png":
            assert content.startswith(b"\x89PNG")
        else:
            assert re.search(rb"<path[^>]+d=", content)
            assert b"<script" not in content


def test_a_report_without_numbers_has_no_figures(tmp_path: Path) -> None:
    assert write_figures(empty_report(), tmp_path) == []
