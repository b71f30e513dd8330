"""The page of a report: what is in it, what is not, and that texts stay texts."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.util
import json
import re
from dataclasses import replace
from typing import Any

import pytest
import vl_convert
from whole_report import HOSTILE, empty_report, full_report

from l2sweep.analysis.report.page.packages import vega_lite_version
from l2sweep.analysis.report.page.render import render_page
from l2sweep.analysis.report.page.specs import packed
from l2sweep.errors import RequestError

MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(full_report())


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


def unpacked(column: Any) -> list[Any]:
    if isinstance(column, list):
        return column
    return (
        [column["of"][place] for place in column["at"]] if "at" in column else column["of"] * column["times"]
    )


def rows_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    values = {name: unpacked(column) for name, column in columns.items()}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def test_the_sections_stand_in_the_order_in_which_a_reader_asks(page: str) -> None:
    headings = re.findall(r"<h[12][^>]*>(.*?)</h[12]>", page.split("<script")[0])
    assert headings == [
        full_report().verdict.sentence,
        "What was measured",
        "Can it be trusted?",
        "Results",
        "Scaling",
        "Restore times",
        "All points",
        "Run it again",
    ]


def test_every_chart_is_one_that_vega_draws(page: str) -> None:
    data = data_of(page)
    for name, chart in data["charts"].items():
        rows = [row for row in rows_of(data["datasets"][chart["rows"]]) if row["panel"] == chart["panel"]]
        if chart["settings"]:
            settings = rows_of(data["datasets"][chart["settings"]])
            rows = [{**row, **settings[row["s"]]} for row in rows]
        spec = {**data["specs"][chart["spec"]], "width": 400, "config": data["config"]}
        spec["datasets"] = {"rows": rows}
        svg = vl_convert.vegalite_to_svg(spec, vl_version=vega_lite_version())
        assert re.search(r'class="mark-(symbol|line|rect)[^"]*"[^>]*>\s*<path', svg), name


def test_each_chart_has_a_place_and_what_it_needs_is_there_once(page: str) -> None:
    data = data_of(page)
    assert re.findall(r'data-chart="([^"]+)"', page) == list(data["charts"])
    used = {name for chart in data["charts"].values() for name in (chart["rows"], chart["settings"]) if name}
    assert used | {"points"} == set(data["datasets"])
    assert {chart["spec"] for chart in data["charts"].values()} == set(range(len(data["specs"])))
    assert len({json.dumps(spec) for spec in data["specs"]}) == len(data["specs"])


def test_a_screen_reader_is_told_what_a_chart_of_scaling_shows(page: str) -> None:
    description = data_of(page)["charts"]["scaling_load-0"]["description"]
    assert description.startswith(
        "Throughput of load against clients. fs, cold. Throughput is all that moved"
    )
    assert description.endswith("8: 800. Load of fs, cold: throughput stops growing at 4 clients.")


def test_the_numbers_in_the_page_are_those_of_the_report(page: str) -> None:
    report = full_report()
    rows = rows_of(data_of(page)["datasets"]["points"])
    assert [row["point_id"] for row in rows] == [one.point_id for one in report.points]
    assert [row["mib_per_s"] for row in rows] == pytest.approx(
        [one.mib_per_s for one in report.points], rel=1e-6
    )
    settings = rows_of(data_of(page)["datasets"]["settings"])
    assert [row["rate"] for row in settings] == pytest.approx(
        [one.rate for one in report.throughput.settings], rel=1e-6
    )


def test_nothing_is_drawn_of_what_was_not_measured() -> None:
    page = render_page(empty_report())
    assert data_of(page)["charts"] == {}
    assert "<figure" not in page
    assert "Scaling" not in page.split("<script")[0]
    for sentence in ("No throughput was measured.", "No cold load was measured.", "fewer than two nights"):
        assert sentence in page


def test_a_share_of_the_ceiling_needs_fio() -> None:
    report = full_report()
    without = [
        replace(one, fio_share=None, fio_best_rate=None, queue_depth=None)
        for one in report.throughput.settings
    ]
    throughput = replace(report.throughput, settings=tuple(without))
    page = render_page(replace(report, throughput=throughput))
    assert "share_of_fio" not in page
    assert "queue_depth_load" not in page
    assert "there is no fio beside the adapters" in page


def test_hostile_texts_stay_texts() -> None:
    page = render_page(full_report(label=HOSTILE))
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 3
    assert "<b>" not in page.replace(scripts[1], "").replace(scripts[2], "")
    assert html.escape(HOSTILE, quote=False).split("<")[0][:30] in page
    assert data_of(page)["datasets"]["points"]["options"]["of"] == [f"num_workers=8{HOSTILE}"]


def test_the_policy_allows_the_scripts_of_the_page_alone(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = re.findall(r"'sha256-([^']+)'", html.unescape(policy[1]))
    assert allowed == hashes
    assert "default-src 'none'" in html.unescape(policy[1])
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_a_page_of_a_thousand_points_with_three_phases_is_below_two_megabytes() -> None:
    report = full_report(tuple(f"fs_{number}" for number in range(14)))
    assert len(report.points) > 1000
    points = [
        replace(one, phase=phase, median_s=(one.median_s or 0) * factor)
        for one in report.points[:1000]
        for phase, factor in (("store", 1.1), ("lookup", 0.013), ("load", 1.0))
    ]
    page = render_page(replace(report, points=tuple(points)))
    assert len(page.encode()) < MOST_BYTES


def test_a_column_with_few_values_has_each_of_them_once() -> None:
    columns = {
        "phase": ["load"] * 6 + ["store"] * 6,
        "rate": [1 / 3, *range(11)],
        "flag": [True, 1] * 6,
        "status": ["ok"] * 12,
    }
    found = packed(columns)
    assert found["phase"] == {"of": ["load", "store"], "at": [0] * 6 + [1] * 6}
    assert found["status"] == {"of": ["ok"], "times": 12}
    assert found["rate"] == [0.3333333, *range(11)]
    assert [type(row["flag"]) for row in rows_of(found)] == [bool, int] * 6


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "altair" else object())
    with pytest.raises(RequestError, match=r"not installed \(altair\): pip install 'l2sweep\[report\]'"):
        render_page(empty_report())
