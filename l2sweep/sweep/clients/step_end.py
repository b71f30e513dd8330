"""The rows of one step of a point: of its process, or of the process of each client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from l2sweep.config.point import PointConfig
from l2sweep.process.report import ProcessReport
from l2sweep.sweep.attempt.process_steps import ProcessStep
from l2sweep.sweep.cache.coldness import WARM, CacheEvidence, CacheJudge
from l2sweep.sweep.cache.devices import StorageStack
from l2sweep.sweep.clients.client import Client
from l2sweep.sweep.rows import Row

Outcome = tuple[str, str]


@dataclass(frozen=True)
class StepEnd:
    """How a step of a point ended.

    Attributes:
        step: The step.
        reports: The report of each client that was started, in their order.
        started_at: When the page cache was about to be dropped, or the processes to be started.
        evidence: The measurements of the page cache around all clients.
        failed: How it ended before any process was started; None: it did not.
    """

    step: ProcessStep
    reports: Sequence[ProcessReport]
    started_at: datetime
    evidence: CacheEvidence
    failed: Outcome | None = None

    def rows(
        self, point: PointConfig, stacks: Sequence[StorageStack], clients: Sequence[Client]
    ) -> tuple[list[Row], list[Row]]:
        """Return the rows of ``points`` and of ``rounds``.

        Args:
            point: The point.
            stacks: What is below each path that holds its data.
            clients: Its clients on this host.
        """
        judges = [self._judge(point, stacks, report) for report in self.reports]
        points: list[Row] = []
        rounds: list[Row] = []
        for client, judge, report in zip(clients, judges, self.reports, strict=False):
            columns, state = client.columns, self._state(judge, report)
            outcome = self._outcome(judge, report, state)
            points.append(
                columns.point_row(self.step.phase, report, outcome, self.started_at, judge.evidence, state)
            )
            rounds += columns.round_rows(report, [judge.round_state(one) for one in report.rounds])
        return points, rounds

    def _judge(self, point: PointConfig, stacks: Sequence[StorageStack], report: ProcessReport) -> CacheJudge:
        evidence = replace(
            self.evidence,
            resident_at_start=report.resident_at_start.get(self._judged_phase),
            resident_at_end=report.resident_at_end.get(self._judged_phase),
        )
        return CacheJudge(point, stacks, evidence, cold_requested=self.step.is_cold)

    def _state(self, judge: CacheJudge, report: ProcessReport) -> str | None:
        if self._judged_phase not in self.step.job.phases:
            return None
        return judge.phase_state(self._judged_phase, report.rounds)

    def _outcome(self, judge: CacheJudge, report: ProcessReport, state: str | None) -> Outcome:
        status, detail = self.failed or report.outcome
        if self.step.is_cold and state == WARM and status in ("ok", "failed"):
            return "warm", detail or judge.why_warm(self._judged_phase, report.rounds)
        return status, detail

    @property
    def _judged_phase(self) -> str:
        """The phase that decides the cache state of a process: the load, if it runs all phases."""
        return "load" if self.step.phase == "all" else self.step.phase
