"""Make a report from rows."""

from __future__ import annotations

from l2sweep.analysis.report.contents.overview import Scope
from l2sweep.analysis.report.contents.report import Report
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.compared import compared, nights
from l2sweep.analysis.report.sections.drift import drift
from l2sweep.analysis.report.sections.failures import failed_processes, failures
from l2sweep.analysis.report.sections.latency import latency
from l2sweep.analysis.report.sections.restore import restore
from l2sweep.analysis.report.sections.scaling.curves import scaling
from l2sweep.analysis.report.sections.scope import environment, scope
from l2sweep.analysis.report.sections.throughput import throughput
from l2sweep.analysis.report.sections.trust.checks import trust
from l2sweep.analysis.report.sections.verdict import recommendation_of, verdict
from l2sweep.analysis.report.source import ReportSource


def build_report(source: ReportSource) -> Report:
    """Compute every number and sentence of a report.

    Args:
        source: The rows, and what was read beside them.
    """
    measured = Measured.of(source)
    failed = failed_processes(source.points)
    drifted = drift(measured)
    of_environment = environment(source.points, source.compared)
    found, why_not = recommendation_of(source.rounds, source.points)
    rates = throughput(measured, found)
    what = scope(measured)
    trusted = trust(measured, drifted, rates, of_environment, failed)
    return Report(
        title=_title(what),
        made_at=source.made_at,
        l2sweep_version=source.l2sweep_version,
        verdict=verdict(found, why_not, source, trusted),
        scope=what,
        trust=trusted,
        throughput=rates,
        latency=latency(measured),
        drift=drifted,
        scaling=scaling(measured),
        compared=compared(source.compared),
        nights=nights(source.histories, source.night_began),
        restore=restore(source.rounds, source.points, source.models, source.gpu),
        points=measured.points,
        failures=failures(failed, source.read_log),
        all_failures=len(failed),
        environment=of_environment,
        run_again=source.run_again,
        warnings=source.warnings,
    )


def _title(what: Scope) -> str:
    """Return the labels of the sweeps, or else their ids, with the day on which the first one began."""
    names = " ".join(what.sweep_names or what.sweep_ids)
    return names if what.began is None else f"{names}, {what.began:%Y-%m-%d}"
