"""Make the page of a report: one file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2sweep.analysis.report.contents.report import Report
from l2sweep.analysis.report.page.legend import SHAPE_PATHS
from l2sweep.analysis.report.page.packages import require_packages, vega_bundle
from l2sweep.analysis.report.page.points_table import point_columns, shown_columns
from l2sweep.analysis.report.page.tables import (
    environment_table,
    facts,
    restore_table,
    scaling_table,
    trust_tables,
)

if TYPE_CHECKING:
    from l2sweep.analysis.report.page.charts.figure import Figure

_FOLDER = Path(__file__).parent
_SETTINGS = "settings"
_LAYOUT = {
    "width": "container",
    "autosize": {"type": "fit-x", "contains": "padding"},
    "background": None,
}
_MARKS = {
    "good": {"sign": "\u2713", "style": "good", "word": "good"},
    "warning": {"sign": "!", "style": "open", "word": "warning"},
    "bad": {"sign": "\u2717", "style": "bad", "word": "bad"},
    "unknown": {"sign": "?", "style": "open", "word": "not measured"},
}


def render_page(report: Report) -> str:
    """Return the page of a report as HTML.

    Args:
        report: The report. Its texts are shown as text, whatever they contain.

    Raises:
        RequestError: A package of the extra ``report`` is missing.
    """
    require_packages()
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from l2sweep.analysis.report.page.charts.every import every_figure

    figures = every_figure(report)
    points = point_columns(report.points)
    table = shown_columns(points)
    script = (_FOLDER / "report.js").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("report.html.j2").render(
        report=report,
        made_at=f"{report.made_at:%Y-%m-%d %H:%M}",
        marks=_MARKS,
        shape_paths=SHAPE_PATHS,
        facts=facts(report),
        trust_tables=trust_tables(report.trust),
        figures=figures,
        missing=_not_measured(report),
        scaling_table=scaling_table(report.scaling),
        restore_table=restore_table(report.restore),
        table=table,
        environment_table=environment_table(report.environment),
        policy=_policy(vega_bundle(), script),
        style=Markup((_FOLDER / "report.css").read_text(encoding="utf-8")),
        data=Markup(_json(_data(figures, points, table))),
        bundle=Markup(vega_bundle()),
        script=Markup(script),
    )
    return page + "\n"


def _not_measured(report: Report) -> list[str]:
    sentences = [*report.throughput.not_measured, *report.latency.not_measured]
    if report.drift.not_measured:
        sentences.append(report.drift.not_measured)
    if report.compared is None:
        sentences.append("No comparison: the report has no base (--base).")
    if report.nights is None:
        sentences.append("No history: there are fewer than two nights.")
    return sentences


def _data(
    figures: dict[str, list[Figure]], points: dict[str, list[Any]], table: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what the script of the page reads: each data set and each specification once."""
    from l2sweep.analysis.report.page.charts.style import CONFIG, PHONE
    from l2sweep.analysis.report.page.specs import chart_spec, packed, without_legends

    datasets = {"points": packed(points)}
    specs: list[dict[str, Any]] = []
    places: dict[int, int] = {}
    charts = {}
    for figure in itertools.chain(*figures.values()):
        datasets[figure.name] = packed(figure.columns)
        if figure.settings is not None and _SETTINGS not in datasets:
            datasets[_SETTINGS] = packed(figure.settings)
        for number, panel in enumerate(figure.panels):
            if id(panel.chart) not in places:
                places[id(panel.chart)] = len(specs)
                specs.append(without_legends(chart_spec(panel.chart)) | _LAYOUT)
            charts[f"{figure.name}-{number}"] = {
                "spec": places[id(panel.chart)],
                "rows": figure.name,
                "settings": None if figure.settings is None else _SETTINGS,
                "panel": number,
                "height": panel.height,
                "description": ". ".join(
                    filter(None, (figure.title, panel.title, figure.caption, panel.numbers))
                ),
            }
    return {
        "datasets": datasets,
        "specs": specs,
        "charts": charts,
        "table": table,
        "config": CONFIG,
        "phone": PHONE,
    }


def _json(value: Any) -> str:
    """Return a value as JSON that may stand in a script element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(*scripts: str) -> str:
    """Return the policy of the page: it runs these scripts alone, and loads nothing (CSP, W3C)."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
