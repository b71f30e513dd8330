"""A sweep's points from Hydra's overrides, and Hydra's results from what came of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from l2sweep.analysis.objective import objective
from l2sweep.config import PointConfig, SweepConfig
from l2sweep.credentials import redact_override, scrub, secrets_in_text
from l2sweep.errors import STOPPED, BenchError, RequestError
from l2sweep.hydra_app import read_request, secrets_of_request, used_config_folder
from l2sweep.hydra_compose import PointComposer
from l2sweep.options import SWEEP_RULES, shown
from l2sweep.records.writer import get_ready_to_write
from l2sweep.sweep.dry_run import earlier_wall_s, print_plan
from l2sweep.sweep.feasibility import why_infeasible
from l2sweep.sweep.isolation import ProcessStarter
from l2sweep.sweep.journal import remove_leftovers
from l2sweep.sweep.manifest import Manifest, load_manifest, still_to_run
from l2sweep.sweep.ongoing import OngoingSweep, this_sweep
from l2sweep.sweep.plan import Plan, PlannedPoint, WhyInfeasible, make_plan
from l2sweep.sweep.preflight import own_problems, refused_specs
from l2sweep.sweep.progress import make_console
from l2sweep.sweep.results_dir import require_new_sweep, require_writable, save_configuration, sweep_folder
from l2sweep.sweep.run import run_sweep
from l2sweep.sweep.runner import PointResult
from l2sweep.sweep.safe_guest import dangers, remember_ours

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
    try:
        composer = PointComposer(config_loader, config)
        sweep, grid = _check(composer, job_overrides)
        batch = _plan(sweep, grid, config, arguments, is_search, ongoing)
    except RequestError as error:
        if not ongoing.has_begun:
            raise
        ongoing.note(BenchError.exit_code)
        secrets = set().union(*(secrets_in_text(text) for overrides in job_overrides for text in overrides))
        failure = BenchError(f"not run: {scrub(str(error), secrets)}")
        return [_point_return(overrides, failure) for overrides in job_overrides]
    sweep, plan, to_run = batch
    results = run_sweep(sweep, plan, to_run, ongoing, used_config_folder(config.hydra))
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
    if not is_search and any(isinstance(outcome, BenchError) for outcome in outcomes):
        ongoing.note(BenchError.exit_code)  # also of a point that the time did not suffice for
    return [
        _point_return(overrides, outcome) for overrides, outcome in zip(job_overrides, outcomes, strict=True)
    ]


def _plan(
    sweep: SweepConfig,
    grid: Sequence[PointConfig],
    config: DictConfig,
    arguments: Sequence[str],
    is_search: bool,
    ongoing: OngoingSweep,
) -> tuple[SweepConfig, Plan, Sequence[PlannedPoint]]:
    """Return what is to be run, once nothing stands in its way and the sweep's manifest tells of it."""
    if is_search and sweep.resume is not None:
        raise RequestError([f"resume={sweep.resume}: must be null, since a search cannot be resumed"])
    require_writable(sweep.results_dir)
    why: WhyInfeasible = functools.partial(why_infeasible, budget_disk_gb=sweep.budget_disk_gb)
    if sweep.dry_run:
        plan = make_plan(grid, sweep, why, 0)
        plan.require_a_point()
        print_plan(make_console(False), plan, earlier_wall_s(sweep))
        raise SystemExit(0)
    ongoing.starter.isolation = sweep.isolation
    ongoing.lock(sweep)
    if not ongoing.has_begun:  # first of all: what a dead run left may fill the disk that is planned for
        _remove_leftovers(sweep, grid, ongoing.starter)
    get_ready_to_write()
    if sweep.resume is not None:
        manifest = load_manifest(sweep.results_dir, sweep.resume)
        plan = make_plan(grid, sweep, manifest.reasons_left_out(), 0)
        manifest.require_same(plan)
        sweep = replace(sweep, sweep_id=manifest.sweep_id)
        to_run = still_to_run(sweep.results_dir, sweep.sweep_id, plan, sweep.retry_failed)
        _preflight(sweep, to_run, ongoing)
        return sweep, plan, to_run
    begun = load_manifest(sweep.results_dir, sweep.sweep_id) if ongoing.has_begun else None
    plan = make_plan(grid, sweep, why, len(begun.points) if begun else 0)
    if not is_search:
        plan.require_a_point()
    _preflight(sweep, plan.points, ongoing)
    if begun is not None:
        begun.with_more(plan).save(sweep_folder(sweep))
    else:
        _begin(sweep, plan, config, arguments, secrets=set().union(*map(secrets_of_request, grid)))
        ongoing.has_begun = True
    return sweep, plan, plan.points


def _remove_leftovers(sweep: SweepConfig, grid: Sequence[PointConfig], starter: ProcessStarter) -> None:
    console = make_console(sweep.quiet)
    specs = [point.adapter_spec for point in grid]
    for sentence in remove_leftovers(sweep.results_dir, starter.start, specs):
        console.print(sentence, markup=False, soft_wrap=True)


def _preflight(sweep: SweepConfig, points: Sequence[PlannedPoint], ongoing: OngoingSweep) -> None:
    """Find out before anything runs what would fail or destroy something.

    Raises:
        RequestError: A device or file would be overwritten; LMCache refuses every spec, or one of them and
            ``on_infeasible=fail``. Other points that it refuses are rows of their own.
    """
    configs = [planned.config for planned in points]
    problems = [*dangers(configs, sweep.results_dir), *own_problems(configs)]
    refused = refused_specs(points, ongoing.starter.start)
    is_hopeless = len(refused) == len(points) and not ongoing.has_begun
    if refused and (is_hopeless or sweep.on_infeasible == "fail"):
        problems += dict.fromkeys(refused.values())
    if problems:
        raise RequestError(problems)
    remember_ours(configs, sweep.results_dir)


def _begin(
    sweep: SweepConfig, plan: Plan, config: DictConfig, arguments: Sequence[str], secrets: set[str]
) -> None:
    """Make a new sweep's folder, with its configuration and its manifest."""
    require_new_sweep(sweep)
    folder = sweep_folder(sweep)
    save_configuration(folder, {"multirun.yaml": OmegaConf.to_container(config)}, secrets)
    Manifest.of(sweep.sweep_id, arguments, sweep.zip, plan).save(folder)


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


def _outcome(
    results: Sequence[PointResult | None], sweep: SweepConfig, is_search: bool
) -> float | BenchError:
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


def _point_return(overrides: Sequence[str], outcome: float | BenchError) -> JobReturn:
    failed = isinstance(outcome, BenchError)
    returned = PointReturn(
        overrides=[redact_override(override) for override in overrides],
        task_name="l2sweep",
        status=JobStatus.FAILED if failed else JobStatus.COMPLETED,
    )
    returned.return_value = outcome
    return returned
