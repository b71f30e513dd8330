"""All figures of a report, by the part of the page in which they stand."""

from __future__ import annotations

from l2sweep.analysis.report.contents.report import Report
from l2sweep.analysis.report.page.charts.ceiling import ceiling_figures
from l2sweep.analysis.report.page.charts.compared import comparison_figures
from l2sweep.analysis.report.page.charts.drift import drift_figures
from l2sweep.analysis.report.page.charts.figure import Figure
from l2sweep.analysis.report.page.charts.heat_map import heat_map_figures
from l2sweep.analysis.report.page.charts.latency import latency_figures
from l2sweep.analysis.report.page.charts.nights import history_figures
from l2sweep.analysis.report.page.charts.restore import restore_figures
from l2sweep.analysis.report.page.charts.scaling.figures import scaling_figures
from l2sweep.analysis.report.page.charts.throughput import throughput_figures


def every_figure(report: Report) -> dict[str, list[Figure]]:
    """Return the figures of each part of the page. A number that was not measured has no figure.

    Args:
        report: The report.
    """
    return {
        "throughput": throughput_figures(report.throughput),
        "grid": heat_map_figures(report.throughput),
        "latency": latency_figures(report.latency, report.points),
        "ceiling": ceiling_figures(report.throughput),
        "drift": drift_figures(report.drift),
        "comparison": comparison_figures(report.compared),
        "history": history_figures(report.nights),
        "scaling": scaling_figures(report.scaling),
        "restore": restore_figures(report.restore),
    }
