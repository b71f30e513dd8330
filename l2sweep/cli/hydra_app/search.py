"""A search: one of Hydra's optimising sweepers asks for trials and receives their objectives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from l2sweep.analysis.objective import objective
from l2sweep.cli.cluster.crew import with_hosts
from l2sweep.cli.hydra_app.compose import PointComposer
from l2sweep.cli.hydra_app.engines import chosen_engine
from l2sweep.cli.hydra_app.launch import read_points, sweep_request
from l2sweep.credentials import redact_override, scrub, secrets_in_text
from l2sweep.errors import STOPPED, BenchError, L2SweepError, RequestError
from l2sweep.sweep.loop import run_sweep
from l2sweep.sweep.report.report_view import view_with_report
from l2sweep.sweep.session import SweepSession, current_session
from l2sweep.sweep.terminal.table_view import TableView

_NOT_RUN = "not run: the sweep ended before it"


class TrialReturn(JobReturn):
    """The result of a trial for Hydra, whose own class prints a failed trial's overrides with credentials."""

    @property
    def return_value(self) -> Any:
        """The objective.

        Raises:
            L2SweepError: The trial failed.
        """
        if self.status == JobStatus.FAILED:
            raise self._return_value
        return self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


def launch_trials(
    config_loader: ConfigLoader, config: DictConfig, job_overrides: Sequence[Sequence[str]]
) -> list[JobReturn]:
    """Run trials one after another, as points of one sweep: what l2sweep's Hydra launcher does.

    Args:
        config_loader: Hydra's.
        config: The composed configuration of the whole search.
        job_overrides: For each trial its overrides.

    Returns:
        The result of each trial, in order.

    Raises:
        L2SweepError: No trial can be run: the host is busy, or the records cannot be written.
        SystemExit: The search was stopped.
    """
    session = current_session()
    composer = PointComposer(config_loader, config)
    returns: list[JobReturn] = []
    for overrides in job_overrides:
        returned = TrialReturn(
            overrides=[redact_override(override) for override in overrides], task_name="l2sweep"
        )
        result = _measure(composer, config, overrides, session)
        returned.return_value = result
        returned.status = JobStatus.FAILED if isinstance(result, L2SweepError) else JobStatus.COMPLETED
        returns.append(returned)
    return returns


def _measure(
    composer: PointComposer, config: DictConfig, overrides: Sequence[str], session: SweepSession
) -> float | L2SweepError:
    """Return the objective of a trial, or why it has none: then the search may go on."""
    try:
        sweep, points = read_points(composer, [overrides])
        if sweep.resume is not None:
            raise RequestError([f"resume={sweep.resume}: must be null, since a search cannot be resumed"])
        if session.is_over_budget(sweep.budget.minutes):
            return BenchError(_NOT_RUN)
        if session.view is None and not sweep.dry_run:
            session.view = view_with_report(
                sweep, lambda console: TableView(console, sweep, can_be_resumed=False)
            )
        request = sweep_request(sweep, points, overrides, config)
        request = with_hosts(request, session, chosen_engine(config.hydra))
        results = run_sweep(request, session).points
    except RequestError as error:
        session.note(BenchError.exit_code)
        if session.manifest is None:  # nothing was run yet: the request itself may be wrong
            return error
        secrets = set().union(*map(secrets_in_text, overrides))
        return BenchError(f"not run: {scrub(str(error), secrets)}")
    failed = next((result.point for result in results if result.exit_code), None)
    if sweep.dry_run or session.exit_code == STOPPED or (failed and sweep.on_failure == "stop"):
        raise SystemExit(session.exit_code)
    if failed:
        return BenchError(f"{failed['status']}: {failed['detail']}")
    if not results:
        return BenchError(_NOT_RUN)
    value = objective(sweep.objective, (row for result in results for row in result.rounds))
    if math.isnan(value):
        return BenchError(f"objective={sweep.objective}: not measured, or in too few rounds for it")
    return value
