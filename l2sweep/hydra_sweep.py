"""A sweep's points from Hydra's overrides, and Hydra's results from what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from l2sweep.analysis.objective import objective
from l2sweep.config import PointConfig, SweepConfig
from l2sweep.errors import STOPPED, BenchError, RequestError
from l2sweep.hydra_app import read_request, secrets_of_request, used_config_folder
from l2sweep.hydra_compose import PointComposer
from l2sweep.options import SWEEP_RULES, shown
from l2sweep.records.writer import get_ready_to_write
from l2sweep.sweep.dry_run import earlier_wall_s, print_plan
from l2sweep.sweep.feasibility import why_infeasible
from l2sweep.sweep.host_lock import host_lock
from l2sweep.sweep.isolation import ProcessStarter
from l2sweep.sweep.manifest import Manifest, load_manifest, still_to_run
from l2sweep.sweep.plan import Plan, PlannedPoint, make_plan
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


class PointStoppedError(BenchError):
    """The user stopped the sweep during this point or before it."""

    exit_code = STOPPED


def launch(
    config_loader: ConfigLoader,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first_index: int,
    starter: ProcessStarter,
    arguments: Sequence[str] = (),
) -> list[JobReturn]:
    """Compose and check every point, then run them.

    A sweeper that searches calls this again and again, each time with the next points of one sweep.

    Args:
        config_loader: Hydra's.
        config: The composed configuration of the whole sweep.
        job_overrides: For each point its overrides.
        first_index: The number of the first of them in the sweep.
        starter: Starts their processes.
        arguments: What made the grid: overrides, those with several values among them.

    Returns:
        As many results as there are points, in order; the value is what ``objective`` names.

    Raises:
        RequestError: With everything that is wrong with any of the points; nothing was run.
    """
    composer = PointComposer(config_loader, config)
    sweep, grid = _check(composer, job_overrides)
    plan = make_plan(grid, sweep, lambda point: why_infeasible(point, sweep.budget_disk_gb), first_index)
    require_writable(sweep.results_dir)
    if sweep.dry_run:
        print_plan(make_console(False), plan, earlier_wall_s(sweep))
        raise SystemExit(0)
    starter.isolation = sweep.isolation
    with host_lock(sweep.lock, sweep.sweep_id):
        to_run: Sequence[PlannedPoint] = plan.points
        if sweep.resume is not None:
            manifest = load_manifest(sweep.results_dir, sweep.resume)
            manifest.require_same(plan)
            sweep = replace(sweep, sweep_id=manifest.sweep_id)
            to_run = still_to_run(sweep.results_dir, sweep.sweep_id, plan, sweep.retry_failed)
        get_ready_to_write()
        _preflight(sweep, to_run, starter)
        if sweep.resume is None and first_index == 0:
            _begin(sweep, plan, config, arguments, secrets=set().union(*map(secrets_of_request, grid)))
        elif sweep.resume is None:
            load_manifest(sweep.results_dir, sweep.sweep_id).with_more(plan).save(sweep_folder(sweep))
        results, stopped = run_sweep(sweep, plan, to_run, starter, used_config_folder(config.hydra))
    of_grid: dict[int, list[PointResult | None]] = {id(point): [] for point in grid}
    for position, planned in enumerate(to_run):
        of_grid[id(planned.config)].append(results[position] if position < len(results) else None)
    return [
        _job_return(overrides, of_grid[id(point)], sweep, stopped)
        for overrides, point in zip(job_overrides, grid, strict=True)
    ]


def _preflight(sweep: SweepConfig, points: Sequence[PlannedPoint], starter: ProcessStarter) -> None:
    """Find out before anything runs what would fail or destroy something.

    Raises:
        RequestError: A device or file would be overwritten; LMCache refuses every spec, or one of them and
            ``on_infeasible=fail``. Other points that it refuses are rows of their own.
    """
    configs = [planned.config for planned in points]
    problems = [*dangers(configs, sweep.results_dir), *own_problems(configs)]
    refused = refused_specs(points, starter.start)
    if refused and (len(refused) == len(points) or sweep.on_infeasible == "fail"):
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


def exit_code_of(results: Sequence[JobReturn]) -> int:
    """Return the exit code of a sweep: 0 all measured, 1 something failed, 130 stopped."""
    failures = [result._return_value for result in results if result.status == JobStatus.FAILED]
    if any(isinstance(failure, PointStoppedError) for failure in failures):
        return STOPPED
    return 1 if failures else 0


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


def _job_return(
    overrides: Sequence[str], results: Sequence[PointResult | None], sweep: SweepConfig, stopped: bool
) -> JobReturn:
    """Return what Hydra hears of a point: of all its repeats, or of none where it was left out.

    A budget of minutes may cost a point some of its repeats, but not all.
    """
    within_budget = sweep.budget_minutes is not None
    value: Any
    status = JobStatus.FAILED
    failed = next((result for result in results if result is not None and result.exit_code), None)
    if (failed is not None and failed.exit_code == STOPPED) or (stopped and None in results):
        value = PointStoppedError("stopped by the user")
    elif failed is not None:
        value = BenchError(f"{failed.point['status']}: {failed.point['detail']}")
    elif None in results and not (within_budget and any(results)):
        value = BenchError("not run: the sweep ended before it")
    else:
        rounds = [row for result in results if result is not None for row in result.rounds]
        value, status = objective(sweep.objective, rounds), JobStatus.COMPLETED
    returned = JobReturn(overrides=list(overrides), task_name="l2sweep", status=status)
    returned.return_value = value
    return returned
