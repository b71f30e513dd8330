"""The figures and the table of the section Scaling."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from whole_report import full_report

from l2sweep.analysis.report.contents.scaling import Scaling
from l2sweep.analysis.report.page.charts.figure import Figure
from l2sweep.analysis.report.page.charts.scaling.figures import scaling_figures
from l2sweep.analysis.report.page.charts.scaling.layers import RATES
from l2sweep.analysis.report.page.specs import rows_of
from l2sweep.analysis.report.page.tables import scaling_table

CURVES = full_report().scaling.curves


def rows(figure: Figure, panel: int, kind: str) -> list[dict[str, Any]]:
    return [row for row in rows_of(figure) if (row["panel"], row["kind"]) == (panel, kind)]


def test_each_curve_has_its_rates_and_beside_them_its_fairness() -> None:
    (figure,) = scaling_figures(Scaling(CURVES))
    assert figure.name == "scaling_load"
    assert [panel.title for panel in figure.panels] == [
        *("fs, cold", "fs, cold, fairness"),
        *("fs_native, cold", "fs_native, cold, fairness"),
    ]
    points = CURVES[0].points
    drawn = rows(figure, 0, "rate")
    for series, name in zip(RATES, ("rate", "all_active_rate", "sum_of_client_rates"), strict=True):
        expected = [(one.clients, getattr(one, name)) for one in points if getattr(one, name) is not None]
        found = [(row["clients"], row["value"]) for row in drawn if row["series"] == series]
        assert found == [(clients, pytest.approx(rate)) for clients, rate in expected]
    throughput = [row for row in drawn if row["series"] == "throughput"]
    assert [(row["low"], row["high"]) for row in throughput] == [
        (pytest.approx(one.rate_low), pytest.approx(one.rate_high)) for one in points
    ]
    assert [(row["clients"], row["value"]) for row in rows(figure, 0, "ideal")] == [
        *((1, 240), (2, 480), (4, 960), (8, 1920))
    ]
    assert len(rows(figure, 0, "ideal_name")) == 1
    assert [row["clients"] for row in rows(figure, 0, "stop")] == [4]
    assert [(row["clients"], row["value"]) for row in rows(figure, 1, "fairness")] == [
        *((2, 0.9), (4, 0.8), (8, 0.6))
    ]


def test_a_screen_reader_is_told_the_numbers_and_where_it_stops() -> None:
    (figure,) = scaling_figures(Scaling(CURVES))
    rates, fairness = figure.panels[:2]
    assert rates.numbers == (
        "MiB/s by number of clients: 1: 240, 2: 400, 4: 600, 8: 800. "
        "Load of fs, cold: throughput stops growing at 4 clients."
    )
    assert fairness.numbers == "Fairness by number of clients: 2: 0.9, 4: 0.8, 8: 0.6."


def test_the_caption_says_what_is_missing() -> None:
    points = [
        replace(one, rate_low=None, rate_high=None, ideal_rate=None, processes=1) for one in CURVES[0].points
    ]
    curve = replace(CURVES[0], points=tuple(points), stops_at=None)
    (figure,) = scaling_figures(Scaling((curve,)))
    assert "There are no intervals: each point has fewer than 3 processes." in figure.caption
    assert "There is no ideal line: one client was not measured." in figure.caption
    assert "ring" not in figure.caption
    assert rows(figure, 0, "ideal") == rows(figure, 0, "stop") == []


def test_of_many_curves_some_are_drawn_and_all_are_in_the_table() -> None:
    many = Scaling(tuple(replace(CURVES[0], label=f"num_workers={number}") for number in range(10)))
    (figure,) = scaling_figures(many)
    assert len(figure.panels) == 2 * 6
    assert "6 of 10 curves are drawn; the table has the others." in figure.caption
    table = scaling_table(many)
    assert table is not None
    assert len(table.rows) == 10 * 4


def test_the_table_names_the_rates_as_the_table_of_a_sweep_does() -> None:
    table = scaling_table(Scaling(CURVES[:1]))
    assert table is not None
    row = dict(zip(table.titles, table.rows[2], strict=True))  # of both intervals, the last one
    assert {name: row[name] for name in ("clients", "processes", "unit", *RATES, "fairness", "scaling")} == {
        "clients": "4",
        "processes": "5",
        "unit": "MiB/s",
        "throughput": "600",
        "all active": "648",
        "sum of clients": "660",
        "fairness": "0.8",
        "scaling": "2.5",
    }
    assert row["skewed rounds"] == "4 of 25"
    assert re.fullmatch(r"2\.4 to 2\.61", row["95% interval"])
    assert scaling_table(Scaling(())) is None
    failed = replace(CURVES[0], points=(replace(CURVES[0].points[0], failed_processes=2),))
    changed = scaling_table(Scaling((failed,)))
    assert changed is not None
    assert changed.rows[0][6] == "5 ok, 2 failed"
