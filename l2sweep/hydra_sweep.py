"""A sweep's points from Hydra's overrides, and Hydra's results from what came of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from l2sweep.analysis.objective import objective
from l2sweep.batch import Batch, prepare
from l2sweep.config import PointConfig, SweepConfig
from l2sweep.credentials import redact_override, scrub, secrets_in_text
from l2sweep.errors import STOPPED, BenchError, L2SweepError, RequestError
from l2sweep.hydra_app import read_request, used_config_folder
from l2sweep.hydra_compose import PointComposer
from l2sweep.options import SWEEP_RULES, shown
from l2sweep.sweep.manifest import load_manifest
from l2sweep.sweep.ongoing import OngoingSweep, this_sweep
from l2sweep.sweep.run import run_sweep
from l2sweep.sweep.runner import PointResult

# Options that say how the rest of a sweep is run, and not what it measures.
_RUN_CONTROLS = (
    "resume",
    "retry_failed",
    "results_dir",
    "on_failure",
    "lock",
    "quiet",
    "isolation",
    "dry_run",
)


Outcome = float | L2SweepError


class PointReturn(JobReturn):
    """What Hydra hears of a point; its own class prints a failed one's overrides, credentials included."""

    @property
    def return_value(self) -> Any:
        """The objective.

        Raises:
            L2SweepError: There is none.
        """
        if self.status == JobStatus.FAILED:
            raise self._return_value
        return self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


def launch(
    config_loader: ConfigLoader,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    arguments: Sequence[str] = (),
) -> list[JobReturn]:
    """Compose and check every point, then run them.

    A sweeper that searches calls this again and again, each time with the next points of one sweep.

    Args:
        config_loader: Hydra's.
        config: The composed configuration of the whole sweep.
        job_overrides: For each point its overrides.
        arguments: What made the grid: overrides, those with several values among them.

    Returns:
        As many results as there are points, in order; the value is what ``objective`` names.

    Raises:
        RequestError: With everything that is wrong with any of the points; nothing was run. Once a search
            runs, it hears of a wrong point as of one that failed.
        SystemExit: The user stopped a search.
    """
    ongoing = this_sweep()
    is_search = not str(config.hydra.sweeper.get("_target_")).startswith("hydra_plugins.l2sweep_hydra.")
    ongoing.can_be_resumed = not is_search
    composer = PointComposer(config_loader, config)
    wrong = _wrong_trials(composer, job_overrides) if is_search else {}
    asked = [one for position, one in enumerate(job_overrides) if position not in wrong]
    outcomes: list[Outcome] = []
    if asked:
        try:
            sweep, grid = _check(composer, asked)
            batch = prepare(sweep, grid, config, arguments, is_search, ongoing)
        except RequestError as error:
            if not ongoing.has_begun:
                raise
            wrong.update((position, error) for position in range(len(job_overrides)) if position not in wrong)
        else:
            outcomes = _run(batch, grid, config, is_search, ongoing)
    of_asked = iter(outcomes)
    return [
        _point_return(
            overrides,
            _failure(wrong[position], overrides, ongoing) if position in wrong else next(of_asked),
        )
        for position, overrides in enumerate(job_overrides)
    ]


def _wrong_trials(composer: PointComposer, job_overrides: Sequence[Sequence[str]]) -> dict[int, RequestError]:
    """Return what is wrong with single trials of a search: the others are run all the same."""
    wrong = {}
    for position, overrides in enumerate(job_overrides):
        try:
            _check(composer, [overrides])
        except RequestError as error:
            wrong[position] = error
    return wrong


def _failure(error: RequestError, overrides: Sequence[str], ongoing: OngoingSweep) -> Outcome:
    """Return what a search hears of a trial that is wrong: nothing was run as long as no other trial was."""
    ongoing.note(BenchError.exit_code)
    if not ongoing.has_begun:
        return error
    secrets = set().union(*map(secrets_in_text, overrides))
    return BenchError(f"not run: {scrub(str(error), secrets)}")


def _run(
    batch: Batch,
    grid: Sequence[PointConfig],
    config: DictConfig,
    is_search: bool,
    ongoing: OngoingSweep,
) -> list[Outcome]:
    """Run what is to be run and return what came of each point of the grid."""
    sweep, plan, to_run = batch.sweep, batch.plan, batch.to_run
    folder = used_config_folder(config.hydra)
    results = run_sweep(sweep, plan, to_run, ongoing, folder, batch.failed_before)
    if is_search and ongoing.exit_code == STOPPED:
        raise SystemExit(STOPPED)
    of_grid: dict[int, list[PointResult | None]] = {id(point): [] for point in grid}
    for position, planned in enumerate(to_run):
        of_grid[id(planned.config)].append(results[position] if position < len(results) else None)
    reasons = {id(left.config): left.reason for left in plan.left_out}
    outcomes = [
        BenchError(f"left out: {reasons[id(point)]}")
        if is_search and id(point) in reasons
        else _outcome(of_grid[id(point)], sweep, is_search)
        for point in grid
    ]
    if batch.failed_before or (not is_search and any(isinstance(one, BenchError) for one in outcomes)):
        ongoing.note(BenchError.exit_code)  # also of a point that the time did not suffice for
    return outcomes


def request_of(config: DictConfig, arguments: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return the overrides that make a sweep's grid, and its zipped options.

    A request that says no more than which sweep to resume is completed from that sweep's manifest.

    Args:
        config: The composed configuration of the whole sweep.
        arguments: The request's overrides.

    Raises:
        RequestError: There is no such sweep, or its request cannot be repeated.
    """
    zipped = OmegaConf.to_container(config.zip) if config.get("zip") else []
    given = [text for text in arguments if text.partition("=")[0] not in _RUN_CONTROLS]
    if config.get("resume") is None or given:
        return list(arguments), zipped  # type: ignore[return-value]
    manifest = load_manifest(str(config.results_dir), str(config.resume))
    return [*manifest.repeatable_arguments(), *arguments], [list(group) for group in manifest.zip]


def _check(
    composer: PointComposer, job_overrides: Sequence[Sequence[str]]
) -> tuple[SweepConfig, list[PointConfig]]:
    points: list[PointConfig] = []
    problems: dict[str, None] = {}
    sweeps: list[SweepConfig] = []
    for overrides in job_overrides:
        try:
            sweep, point = read_request(composer.compose(overrides), overrides)
            sweeps.append(sweep)
            points.append(point)
        except RequestError as error:
            problems.update(dict.fromkeys(error.problems))
    for name in SWEEP_RULES:
        values = list(dict.fromkeys(shown(getattr(sweep, name)) for sweep in sweeps))
        if len(values) > 1:
            text = f"{name}={','.join(values)}: must be one value, since it holds for the whole sweep"
            problems[text] = None
    if problems or not sweeps:
        raise RequestError(list(problems) or ["the sweep has no point"])
    return sweeps[0], points


def _outcome(results: Sequence[PointResult | None], sweep: SweepConfig, is_search: bool) -> Outcome:
    """Return what came of a point: of all its repeats, or of none where it was left out.

    A budget of minutes may cost a point some of its repeats, but not all.
    """
    within_budget = sweep.budget_minutes is not None
    failed = next((result for result in results if result is not None and result.exit_code), None)
    if failed is not None:
        return BenchError(f"{failed.point['status']}: {failed.point['detail']}")
    if None in results and not (within_budget and any(results)):
        return BenchError("not run: the sweep ended before it")
    value = objective(sweep.objective, (row for result in results if result for row in result.rounds))
    if is_search and math.isnan(value):
        return BenchError(f"objective={sweep.objective}: not measured, or in too few rounds for it")
    return value


def _point_return(overrides: Sequence[str], outcome: Outcome) -> JobReturn:
    failed = isinstance(outcome, L2SweepError)
    returned = PointReturn(
        overrides=[redact_override(override) for override in overrides],
        task_name="l2sweep",
        status=JobStatus.FAILED if failed else JobStatus.COMPLETED,
    )
    returned.return_value = outcome
    return returned
