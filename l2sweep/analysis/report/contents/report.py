"""The whole report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from l2sweep.analysis.report.contents.compared import Compared, Nights
from l2sweep.analysis.report.contents.curves import Throughput
from l2sweep.analysis.report.contents.overview import RunAgain, Scope, Verdict
from l2sweep.analysis.report.contents.points import Failure, PointRow
from l2sweep.analysis.report.contents.restore import Restore
from l2sweep.analysis.report.contents.scaling import Scaling
from l2sweep.analysis.report.contents.timing import Drift, Latency
from l2sweep.analysis.report.contents.trust import EnvironmentValue, Trust


@dataclass(frozen=True)
class Report:
    """Every number and sentence of a report. All texts are plain: the page escapes them.

    Attributes:
        title: Title of the page, such as ``nightly, 2026-11-24``.
        made_at: When the report was made, in UTC.
        l2sweep_version: The version of l2sweep that made it.
        verdict: Section 1: the verdict.
        scope: Section 1: what was measured.
        trust: Section 2.
        throughput: Section 3: throughput.
        latency: Section 3: submit latencies.
        drift: Section 3: round durations over time.
        scaling: Section 3: throughput against the number of clients.
        compared: Section 3: comparison with the base; None without a base.
        nights: Section 3: history; None with fewer than two nights.
        restore: Section 4.
        points: Section 5: a row for each point and phase.
        failures: Section 5: the processes that failed, at most 100.
        all_failures: Section 5: number of all processes that failed.
        environment: Section 5: the environment.
        run_again: Section 5: how to run each sweep again.
        warnings: What could not be read, a sentence each; empty if all could.
    """

    title: str
    made_at: datetime
    l2sweep_version: str
    verdict: Verdict
    scope: Scope
    trust: Trust
    throughput: Throughput
    latency: Latency
    drift: Drift
    scaling: Scaling
    compared: Compared | None
    nights: Nights | None
    restore: Restore
    points: tuple[PointRow, ...]
    failures: tuple[Failure, ...]
    all_failures: int
    environment: tuple[EnvironmentValue, ...]
    run_again: tuple[RunAgain, ...]
    warnings: tuple[str, ...]
