"""What is run at once: planned, checked against this machine and against what is there, and written down."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from omegaconf import DictConfig, OmegaConf

from l2sweep.config import PointConfig, SweepConfig
from l2sweep.errors import RequestError
from l2sweep.hydra_app import secrets_of_request
from l2sweep.records.writer import get_ready_to_write
from l2sweep.sweep.dry_run import earlier_wall_s, print_plan
from l2sweep.sweep.feasibility import why_infeasible
from l2sweep.sweep.isolation import ProcessStarter
from l2sweep.sweep.journal import remove_leftovers
from l2sweep.sweep.manifest import Manifest, last_attempts, load_manifest, still_to_run
from l2sweep.sweep.ongoing import OngoingSweep
from l2sweep.sweep.output import make_console
from l2sweep.sweep.plan import Plan, PlannedPoint, make_plan
from l2sweep.sweep.preflight import own_problems, refused_specs
from l2sweep.sweep.results_dir import require_new_sweep, require_writable, save_configuration, sweep_folder
from l2sweep.sweep.safe_guest import dangers, remember_ours


@dataclass(frozen=True)
class Batch:
    """What is run at once: a whole sweep, what is left of one, or some trials of a search.

    Attributes:
        sweep: What holds for it.
        plan: All its points.
        to_run: Those that are not measured yet.
        failed_before: How many failed earlier and are not run again.
    """

    sweep: SweepConfig
    plan: Plan
    to_run: Sequence[PlannedPoint]
    failed_before: int = 0

    @classmethod
    def new(cls, sweep: SweepConfig, grid: Sequence[PointConfig], first_index: int) -> Batch:
        """Return a batch of which nothing is measured yet."""
        why = functools.partial(why_infeasible, budget_disk_gb=sweep.budget_disk_gb)
        plan = make_plan(grid, sweep, why, first_index)
        return cls(sweep, plan, plan.points)


def prepare(
    sweep: SweepConfig,
    grid: Sequence[PointConfig],
    config: DictConfig,
    arguments: Sequence[str],
    is_search: bool,
    ongoing: OngoingSweep,
) -> Batch:
    """Return what is to be run, once nothing stands in its way and the sweep's manifest tells of it.

    Args:
        sweep: What holds for it.
        grid: Every point, checked.
        config: The composed configuration of the whole sweep.
        arguments: What made the grid.
        is_search: Whether more batches of the same sweep may follow.
        ongoing: The sweep that it belongs to.

    Raises:
        RequestError: Something stands in its way; nothing was run.
        SystemExit: No more than the plan was asked for.
    """
    if is_search and sweep.resume is not None:
        raise RequestError([f"resume={sweep.resume}: must be null, since a search cannot be resumed"])
    require_writable(sweep.results_dir)
    if sweep.dry_run:
        batch = _resumed(sweep, grid) if sweep.resume else Batch.new(sweep, grid, 0)
        if sweep.resume is None:
            batch.plan.require_a_point()
        shown_plan = replace(batch.plan, points=tuple(batch.to_run))
        print_plan(make_console(False), shown_plan, earlier_wall_s(sweep))
        raise SystemExit(0)
    ongoing.starter.isolation = sweep.isolation
    ongoing.lock(sweep)
    if not ongoing.has_begun:  # first of all: what a dead run left may fill the disk that is planned for
        _remove_leftovers(sweep, grid, ongoing.starter)
    get_ready_to_write()
    if sweep.resume is not None:
        batch = _resumed(sweep, grid)
        _preflight(batch.sweep, batch.to_run, ongoing)
        return batch
    begun = load_manifest(sweep.results_dir, sweep.sweep_id) if ongoing.has_begun else None
    batch = Batch.new(sweep, grid, len(begun.points) if begun else 0)
    if not is_search:
        batch.plan.require_a_point()
    _preflight(sweep, batch.to_run, ongoing)
    if begun is not None:
        begun.with_more(batch.plan).save(sweep_folder(sweep))
    else:
        _begin(sweep, batch.plan, config, arguments, secrets=set().union(*map(secrets_of_request, grid)))
        ongoing.has_begun = True
    return batch


def _resumed(sweep: SweepConfig, grid: Sequence[PointConfig]) -> Batch:
    """Return what is left of a sweep, by the plan that it began with."""
    manifest = load_manifest(sweep.results_dir, str(sweep.resume))
    plan = make_plan(grid, sweep, manifest.reasons_left_out(), 0)
    manifest.require_same(plan)
    sweep = replace(sweep, sweep_id=manifest.sweep_id)
    ended = last_attempts(sweep.results_dir, sweep.sweep_id)
    to_run = still_to_run(plan, ended, sweep.retry_failed)
    running = {planned.index for planned in to_run}
    failed = sum(status != "ok" for index, (_, status) in ended.items() if index not in running)
    return Batch(sweep, plan, to_run, failed)


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
