"""Prepare a sweep: remove leftovers, plan it, check the plan on this machine, and save the manifest."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from l2sweep.config.point import PointConfig
from l2sweep.config.sweep import SweepConfig
from l2sweep.credentials import literal_fields, literals_in_text, map_texts, redact, scrub
from l2sweep.errors import RequestError
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.reading.presence import Recorded
from l2sweep.records.store.address import StoreAddress
from l2sweep.records.writer import get_ready_to_write
from l2sweep.services.folders import remove_abandoned
from l2sweep.sweep.checks.feasibility import Resources, why_infeasible
from l2sweep.sweep.checks.foreign_folders import require_own_folders
from l2sweep.sweep.checks.preflight import require_usable
from l2sweep.sweep.checks.results_dir import new_folder, require_new_sweep, require_writable, writing
from l2sweep.sweep.checks.storage_places import place_problems
from l2sweep.sweep.plan import Plan, PlannedPoint, make_plan
from l2sweep.sweep.plugin_folders import plugin_folders
from l2sweep.sweep.remaining import still_to_run
from l2sweep.sweep.report.report_file import require_report_file
from l2sweep.sweep.served import served_points
from l2sweep.sweep.session import SweepSession
from l2sweep.sweep.state.leftovers import remove_leftovers
from l2sweep.sweep.state.manifest import MANIFEST, Manifest, load_manifest, sweep_folder
from l2sweep.sweep.terminal.console import progress_console
from l2sweep.sweep.upload.pending import upload_pending
from l2sweep.sweep.upload.resumed import manifest_anywhere
from l2sweep.sweep.upload.sweep_upload import SweepUpload

_PENDING_S = 30.0  # for what earlier sweeps left, before the first point


@dataclass(frozen=True)
class SweepRequest:
    """The request for a sweep of one or more points.

    Attributes:
        sweep: The options of the sweep.
        grid: The checked options of every point.
        arguments: The overrides that made the grid, including those with several values.
        configuration: The composed configuration, as plain containers.
        config_folder: Folder of the configuration.
        secrets: Texts that must not be written to any file.
        is_single: Whether the request is for a single point: without ``-m``.
        address: The store that the results are uploaded to. Then ``results_dir`` of ``sweep`` is the spool
            folder. None: they stay in ``results_dir``.
    """

    sweep: SweepConfig
    grid: Sequence[PointConfig]
    arguments: Sequence[str]
    configuration: Mapping[str, Any]
    config_folder: Path
    secrets: frozenset[str]
    is_single: bool = False
    address: StoreAddress | None = None


@dataclass(frozen=True)
class Prepared:
    """A sweep that is ready to run.

    Attributes:
        sweep: The options of the sweep. The id of a resumed sweep is that of its first run.
        plan: The plan.
        to_run: The points that are not measured yet.
        failed_before: Number of points that failed in an earlier run and are not run again.
        measured_before: The records of the points that an earlier run measured.
    """

    sweep: SweepConfig
    plan: Plan
    to_run: Sequence[PlannedPoint]
    failed_before: int = 0
    measured_before: Sequence[Recorded] = ()


def plan_of(request: SweepRequest, first_index: int = 0) -> Prepared:
    """Plan a sweep without running anything.

    Args:
        request: The request.
        first_index: Index of the first point.

    Raises:
        RequestError: The request cannot be planned, or no point is left to run.
    """
    sweep = request.sweep
    if problems := place_problems(request.grid):
        raise RequestError(problems)
    if sweep.resume is not None:
        return _resumed(request)
    why_not_here = functools.partial(
        why_infeasible, budget_disk_gb=sweep.budget.disk_gb, resources=Resources()
    )
    plan = make_plan(request.grid, sweep, why_not_here, first_index)
    plan.require_a_point()
    return Prepared(sweep, plan, plan.points)


def prepare(request: SweepRequest, session: SweepSession) -> Prepared:
    """Plan and check a sweep, and save its manifest.

    Args:
        request: The request. If the session already has a manifest, the points are added to it.
        session: The session of the sweep.

    Raises:
        HostBusyError: Another sweep runs on this host.
        RequestError: A check failed, a file of the sweep cannot be written, or another process runs the sweep
            that is to be resumed. No point was run.
        BenchError: Hosts did not join in time, or the manifest cannot be written again. Earlier points are
            recorded.
    """
    require_own_folders(request.sweep.results_dir)
    require_writable(request.sweep.results_dir)
    require_report_file(request.sweep.report_file)
    if request.address is not None and session.upload is None:
        request = _begin_upload(request, request.address, session)
    if request.sweep.resume is not None:  # before its plan and its records are read
        request = _lock_resumed(request, session)
    sweep = request.sweep
    session.starter.isolation = sweep.isolation
    session.starter.plugin_folders = plugin_folders(request.grid, request.config_folder)
    session.lock(sweep)
    if session.manifest is None:  # before the plan, which depends on the free disk space
        _remove_leftovers(request, session)
        _advise_references(request)
    get_ready_to_write()
    first_index = len(session.manifest.points) if session.manifest is not None else 0
    prepared = plan_of(request, first_index)
    prepared = replace(prepared, to_run=served_points(prepared.to_run, session.services(sweep)))
    require_usable(prepared.to_run, prepared.sweep, session.starter.start)
    if session.crew is not None:
        session.crew.check(prepared.plan, prepared.to_run, prepared.sweep)
    if session.manifest is not None:
        session.manifest = session.manifest.with_more(prepared.plan)
        with writing(sweep.results_dir, f"sweeps/{sweep.sweep_id}/{MANIFEST}", has_measured=True):
            session.manifest.save(sweep_folder(prepared.sweep))
    elif sweep.resume is not None:
        session.manifest = load_manifest(sweep.results_dir, prepared.sweep.sweep_id)
    else:
        session.manifest = _create_sweep(request, prepared.plan, session)
    return prepared


def _begin_upload(request: SweepRequest, address: StoreAddress, session: SweepSession) -> SweepRequest:
    """Claim the sweep in the store, and return the request with the id of the sweep that is resumed."""
    sweep = request.sweep
    if sweep.resume is not None:
        sweep_id = manifest_anywhere(address.url, sweep.resume).sweep_id
        sweep = replace(sweep, resume=sweep_id, sweep_id=sweep_id)
    upload = SweepUpload(address, Path(sweep.results_dir), sweep.sweep_id, sweep.upload_wait_s)
    session.begin_upload(upload, resumes=sweep.resume is not None)
    console = progress_console(sweep)
    for one in upload_pending(address, lambda sweep_id: sweep_id != sweep.sweep_id, for_s=_PENDING_S):
        console.print(one.sentence(address), markup=False, soft_wrap=True)
    return replace(request, sweep=sweep)


def _lock_resumed(request: SweepRequest, session: SweepSession) -> SweepRequest:
    """Lock the sweep that is to be resumed, and return the request with its id in the place of ``latest``."""
    sweep = request.sweep
    sweep_id = load_manifest(sweep.results_dir, str(sweep.resume)).sweep_id
    sweep = replace(sweep, resume=sweep_id, sweep_id=sweep_id)
    session.lock_sweep(sweep_folder(sweep))
    return replace(request, sweep=sweep)


def _resumed(request: SweepRequest) -> Prepared:
    """Return the remaining points of an earlier sweep, according to its manifest."""
    sweep = request.sweep
    manifest = load_manifest(sweep.results_dir, str(sweep.resume))
    plan = make_plan(request.grid, sweep, manifest.reasons_skipped(), 0)
    manifest.require_same(plan)
    sweep = replace(sweep, sweep_id=manifest.sweep_id)
    ended = last_attempts(sweep.results_dir, sweep.sweep_id, reads_rounds=True)
    to_run = still_to_run(plan, ended, sweep.retry_failed)
    runs_again = {planned.index for planned in to_run}
    failed = sum(status != "ok" for index, (_, status) in ended.items() if index not in runs_again)
    measured = [
        Recorded(Path(sweep.results_dir), sweep.sweep_id, index, attempt, 1, 1)
        for index, (attempt, status) in ended.items()
        if status == "ok"
    ]
    return Prepared(sweep, plan, to_run, failed, measured)


def _remove_leftovers(request: SweepRequest, session: SweepSession) -> None:
    console = progress_console(request.sweep)
    specs = [point.adapter_spec for point in request.grid]
    pythons = [point.python for point in request.grid]
    for sentence in remove_leftovers(request.sweep.results_dir, session.starter.start, specs, pythons):
        console.print(sentence, markup=False, soft_wrap=True)
    remove_abandoned(Path(request.sweep.scratch_dir))


def _advise_references(request: SweepRequest) -> None:
    """Print one line if the request contains credentials as text."""
    fields = [name for point in request.grid for name in literal_fields(point.adapter_spec)]
    commands = [point.cache.command or "" for point in request.grid]
    advice = "${secret:NAME} or ${secret_file:/PATH} keeps it out of command lines and files"
    if not fields and any(map(literals_in_text, commands)):
        fields, advice = (
            ["cache.command"],
            "a variable of the environment, as in $NAME, keeps it out of command lines",
        )
    if fields:
        line = f"{fields[0]} contains a credential as text: {advice} (docs/credentials.md)"
        progress_console(request.sweep).print(line, markup=False, soft_wrap=True)


def _create_sweep(request: SweepRequest, plan: Plan, session: SweepSession) -> Manifest:
    """Create the folder of a new sweep, with its lock, its configuration and its manifest.

    Raises:
        RequestError: They cannot be written. Nothing of the sweep is left.
    """
    sweep = request.sweep
    require_new_sweep(sweep)
    folder = sweep_folder(sweep)
    manifest = Manifest.of(sweep.sweep_id, request.arguments, sweep.zip, plan)
    try:
        with writing(sweep.results_dir, f"sweeps/{sweep.sweep_id}"), new_folder(folder):
            session.lock_sweep(folder)
            with writing(sweep.results_dir, f"sweeps/{sweep.sweep_id}/config.yaml"):
                save_configuration(folder / "config.yaml", request.configuration, request.secrets)
            with writing(sweep.results_dir, f"sweeps/{sweep.sweep_id}/{MANIFEST}"):
                manifest.save(folder)
    except RequestError as error:
        if isinstance(error.__cause__, FileExistsError):
            require_new_sweep(sweep)  # another process created it just now
        raise
    return manifest


def save_configuration(file: Path, configuration: Mapping[str, Any], secrets: Collection[str]) -> None:
    """Save a composed configuration as YAML, without credentials.

    Args:
        file: Path of the file. Its folder is created if it does not exist.
        configuration: The configuration, as plain containers.
        secrets: Texts that are replaced in every value, also outside of the fields for credentials.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    clean = redact(map_texts(configuration, lambda text: scrub(text, secrets)))
    file.write_text(OmegaConf.to_yaml(OmegaConf.create(clean)))
