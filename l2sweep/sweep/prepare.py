"""A sweep before its first point: planned, checked against this machine, and written down."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from l2sweep.config.point import PointConfig, SweepConfig
from l2sweep.errors import RequestError
from l2sweep.records.writer import get_ready_to_write
from l2sweep.sweep.checks.feasibility import why_infeasible
from l2sweep.sweep.checks.overwrite_guard import dangers, remember_ours
from l2sweep.sweep.checks.preflight import own_problems, refused_specs
from l2sweep.sweep.journal import remove_leftovers
from l2sweep.sweep.manifest import Manifest, last_attempts, load_manifest, still_to_run
from l2sweep.sweep.plan import Plan, PlannedPoint, make_plan
from l2sweep.sweep.results_dir import require_new_sweep, require_writable, save_configuration, sweep_folder
from l2sweep.sweep.session import SweepSession
from l2sweep.sweep.terminal.console import make_console


@dataclass(frozen=True)
class SweepRequest:
    """A sweep as it was asked for: one point or many.

    Attributes:
        sweep: What holds for all points.
        grid: Every point, checked.
        arguments: The overrides that made the grid, including those with several values.
        configuration: The composed configuration, as plain containers.
        config_folder: The folder that the configuration came from.
        secrets: Texts that must not be written.
        is_single: It was asked for without ``-m``.
    """

    sweep: SweepConfig
    grid: Sequence[PointConfig]
    arguments: Sequence[str]
    configuration: Mapping[str, Any]
    config_folder: Path
    secrets: frozenset[str]
    is_single: bool = False


@dataclass(frozen=True)
class Prepared:
    """A sweep that is ready to run.

    Attributes:
        sweep: What holds for all points; a resumed sweep has its own id here.
        plan: All its points.
        to_run: The points that are not measured yet.
        failed_before: How many points failed earlier and are not run again.
    """

    sweep: SweepConfig
    plan: Plan
    to_run: Sequence[PlannedPoint]
    failed_before: int = 0


def plan_of(request: SweepRequest, first_index: int = 0) -> Prepared:
    """Plan a request without running anything.

    Args:
        request: What was asked for.
        first_index: The number of the first point.

    Raises:
        RequestError: The request cannot be planned, or no point is left to run.
    """
    sweep = request.sweep
    if sweep.resume is not None:
        return _resumed(request)
    why = functools.partial(why_infeasible, budget_disk_gb=sweep.budget_disk_gb)
    plan = make_plan(request.grid, sweep, why, first_index)
    plan.require_a_point()
    return Prepared(sweep, plan, plan.points)


def prepare(request: SweepRequest, session: SweepSession) -> Prepared:
    """Return what to run, after every check has passed and the manifest is saved.

    Args:
        request: What was asked for. Where the session has a manifest already, these points are added to it.
        session: The session that runs it.

    Raises:
        RequestError: A check failed; nothing was run.
    """
    sweep = request.sweep
    require_writable(sweep.results_dir)
    session.starter.isolation = sweep.isolation
    session.lock(sweep)
    if session.manifest is None:  # first: leftovers may fill the disk that the plan is made for
        _remove_leftovers(request, session)
    get_ready_to_write()
    first_index = len(session.manifest.points) if session.manifest is not None else 0
    prepared = plan_of(request, first_index)
    _preflight(prepared, session)
    if session.manifest is not None:
        session.manifest = session.manifest.with_more(prepared.plan)
        session.manifest.save(sweep_folder(prepared.sweep))
    elif sweep.resume is not None:
        session.manifest = load_manifest(sweep.results_dir, prepared.sweep.sweep_id)
    else:
        session.manifest = _begin(request, prepared.plan)
    return prepared


def _resumed(request: SweepRequest) -> Prepared:
    """Return the remaining points of a sweep, by the plan that it started with."""
    sweep = request.sweep
    manifest = load_manifest(sweep.results_dir, str(sweep.resume))
    plan = make_plan(request.grid, sweep, manifest.reasons_left_out(), 0)
    manifest.require_same(plan)
    sweep = replace(sweep, sweep_id=manifest.sweep_id)
    ended = last_attempts(sweep.results_dir, sweep.sweep_id)
    to_run = still_to_run(plan, ended, sweep.retry_failed)
    running = {planned.index for planned in to_run}
    failed = sum(status != "ok" for index, (_, status) in ended.items() if index not in running)
    return Prepared(sweep, plan, to_run, failed)


def _remove_leftovers(request: SweepRequest, session: SweepSession) -> None:
    console = make_console(request.sweep.quiet)
    specs = [point.adapter_spec for point in request.grid]
    for sentence in remove_leftovers(request.sweep.results_dir, session.starter.start, specs):
        console.print(sentence, markup=False, soft_wrap=True)


def _preflight(prepared: Prepared, session: SweepSession) -> None:
    """Find problems before anything runs.

    Raises:
        RequestError: A device or file would be overwritten; LMCache refuses every spec, or one of them and
            ``on_infeasible=fail``. Other points that it refuses become rows.
    """
    points, sweep = prepared.to_run, prepared.sweep
    configs = [planned.config for planned in points]
    problems = [*dangers(configs, sweep.results_dir), *own_problems(configs)]
    refused = refused_specs(points, session.starter.start)
    is_hopeless = bool(points) and len(refused) == len(points)
    if refused and (is_hopeless or sweep.on_infeasible == "fail"):
        problems += dict.fromkeys(refused.values())
    if problems:
        raise RequestError(problems)
    remember_ours(configs, sweep.results_dir)


def _begin(request: SweepRequest, plan: Plan) -> Manifest:
    """Make a new sweep's folder, with its configuration and its manifest."""
    sweep = request.sweep
    require_new_sweep(sweep)
    folder = sweep_folder(sweep)
    save_configuration(folder, {"config.yaml": request.configuration}, request.secrets)
    manifest = Manifest.of(sweep.sweep_id, request.arguments, sweep.zip, plan)
    manifest.save(folder)
    return manifest
