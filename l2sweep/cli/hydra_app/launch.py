"""From a composed configuration to a run: one point, or every point of a grid."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from l2sweep.cli.hydra_app.axes import Axis
from l2sweep.cli.hydra_app.compose import PointComposer
from l2sweep.cli.hydra_app.configuration import (
    PastHydraError,
    read_request,
    register_resolvers,
    resolved,
    secrets_of_requests,
    used_config_folder,
)
from l2sweep.cli.hydra_app.engines import chosen_engine
from l2sweep.cli.hydra_app.private import run_hydra
from l2sweep.config.grid import grid, num_points
from l2sweep.config.point import PointConfig
from l2sweep.config.reading import SWEEP_OPTIONS, RequestReader, read_sweep
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError, RequestError, shown
from l2sweep.records.trusted_files import is_sweep_id
from l2sweep.sweep.session import current_session
from l2sweep.sweep.state.manifest import LATEST
from l2sweep.sweep.upload.resumed import manifest_anywhere

if TYPE_CHECKING:
    from l2sweep.cli.flags import Flags
    from l2sweep.sweep.prepare import SweepRequest

# pyarrow and pandas are imported by what runs a sweep, and not to show the configuration.

_MOST_PROBLEMS = 20  # that are listed: an option can have 10,000 wrong values

# Options that say how the rest of a sweep is run, and not what it measures.
_RUN_CONTROLS = (
    "resume",
    "retry_failed",
    "results_dir",
    "upload_wait_s",
    "on_failure",
    "lock",
    "quiet",
    "report_format",
    "report_file",
    "report",
    "isolation",
    "probe",
    "dry_run",
    "cluster.rendezvous",
    "cluster.size",
    "cluster.wait_s",
    "ray_address",
)


def launch_point(config: DictConfig) -> None:
    """Run the one point that a composed configuration describes: Hydra's task function.

    Args:
        config: Without its ``hydra`` node.

    Raises:
        PastHydraError: With the error, which Hydra would print together with the overrides.
    """
    hydra = HydraConfig.get()
    try:
        sweep, point = _requested(config)
        overrides = list(point.overrides)
        sweep.require_few_points(1, {})
        whole = OmegaConf.merge({"hydra": hydra}, config)
        assert isinstance(whole, DictConfig)
        request = sweep_request(sweep, [point], overrides, whole, is_single=True)
        _run(request, chosen_engine(hydra))
    except Exception as error:
        raise PastHydraError(error) from error


def composed_point(flags: Flags) -> tuple[SweepConfig, PointConfig]:
    """Compose and check the one point that a command line describes, and run nothing.

    Args:
        flags: The command line.

    Raises:
        RequestError: With everything that is wrong with the point.
        Exception: Hydra cannot compose it.
    """
    found: list[tuple[SweepConfig, PointConfig]] = []

    def keep(config: DictConfig) -> None:
        try:
            found.append(_requested(config))
        except Exception as error:
            raise PastHydraError(error) from error

    register_resolvers(new_sweep_id="unknown")
    try:
        run_hydra(flags, keep)
    except HydraException as error:
        if several := re.match(r"Ambiguous value for argument '([^']*)'", str(error)):
            raise RequestError([f"{several[1]}: must be one value, because one point is composed"]) from error
        raise
    return found[0]


def _requested(config: DictConfig) -> tuple[SweepConfig, PointConfig]:
    """Check a composed configuration, inside Hydra's task function."""
    overrides = list(HydraConfig.get().overrides.task)  # an interpolation in an override is resolved here
    return read_request(resolved(config), overrides)


def launch_grid(config_loader: ConfigLoader, config: DictConfig, arguments: Sequence[str]) -> None:
    """Compose and check every point of a grid, then run them: what l2sweep's Hydra sweeper does.

    Args:
        config_loader: Hydra's.
        config: The composed configuration of the whole sweep.
        arguments: The overrides, including those with several values.

    Raises:
        RequestError: With everything that is wrong with any of the points; nothing was run.
    """
    arguments, zipped = _complete(config, arguments)
    overrides = OverridesParser.create(config_loader=config_loader).parse_overrides(arguments)
    axes = {axis.name: axis for axis in map(Axis.of, overrides)}
    composer = PointComposer(config_loader, config)
    first = _sweep_of_first_point(axes, composer)
    zipped = first.zip if zipped is None else zipped
    sizes = {name: axis.size for name, axis in axes.items()}
    first.require_few_points(num_points(sizes, zipped), sizes)
    values = {name: list(axis.values()) for name, axis in axes.items()}
    composer.take_parsed(itertools.chain(*values.values()))
    texts = {name: [str(value.input_line) for value in of_axis] for name, of_axis in values.items()}
    sweep, points = read_points(composer, grid(texts, zipped))
    _run(sweep_request(sweep, points, arguments, config), chosen_engine(config.hydra))


def _sweep_of_first_point(axes: Mapping[str, Axis], composer: PointComposer) -> SweepConfig:
    """Return the options of the sweep; defaults where they are wrong, which the check of each point reports.

    They say how many points the sweep has, before its points are composed.
    """
    first = [axis.first for axis in axes.values()]
    composer.take_parsed(first)
    values = composer.compose([str(value.input_line) for value in first])
    try:
        return read_sweep(values)
    except RequestError:
        return SweepConfig(sweep_id="unknown")


def read_points(
    composer: PointComposer, job_overrides: Iterable[Sequence[str]]
) -> tuple[SweepConfig, list[PointConfig]]:
    """Compose and check points.

    Args:
        composer: Composes each of them.
        job_overrides: For each point its overrides.

    Returns:
        What holds for the whole sweep, and every point.

    Raises:
        RequestError: With everything that is wrong with any of the points.
    """
    points: list[PointConfig] = []
    problems: dict[str, None] = {}
    sweeps: dict[int, SweepConfig] = {}
    reader = RequestReader(os.environ)
    for overrides in job_overrides:
        try:
            sweep, point = reader.read(composer.compose(overrides), overrides)
        except RequestError as error:
            problems.update(dict.fromkeys(error.problems))
            if len(problems) > _MOST_PROBLEMS:
                raise RequestError([*list(problems)[:_MOST_PROBLEMS], "and more problems"]) from None
        else:
            sweeps[id(sweep)] = sweep
            points.append(point)
    for name in SWEEP_OPTIONS:
        values = list(dict.fromkeys(shown(getattr(sweep, name)) for sweep in sweeps.values()))
        if len(values) > 1:
            several = shown(",".join(values))
            problems[f"{name}={several}: must be one value, since it holds for the whole sweep"] = None
    if problems:
        raise RequestError(list(problems))
    if not points:
        raise RequestError(["the sweep has no point"])
    return next(iter(sweeps.values())), points


def sweep_request(
    sweep: SweepConfig,
    points: Sequence[PointConfig],
    arguments: Sequence[str],
    config: DictConfig,
    *,
    is_single: bool = False,
) -> SweepRequest:
    """Return a sweep as it was asked for.

    Args:
        sweep: What holds for all points.
        points: Every point, checked.
        arguments: The overrides that made them.
        config: The whole composed configuration, with its ``hydra`` node.
        is_single: It was asked for without ``-m``.
    """
    from l2sweep.sweep.prepare import SweepRequest

    configuration: Any = OmegaConf.to_container(config)
    return SweepRequest(
        sweep=sweep,
        grid=points,
        arguments=arguments,
        configuration=configuration,
        config_folder=used_config_folder(config.hydra),
        secrets=secrets_of_requests(points),
        is_single=is_single,
    )


def _run(request: SweepRequest, engine: str) -> None:
    from l2sweep.cli.cluster.crew import with_hosts
    from l2sweep.sweep.loop import run_sweep

    session = current_session()
    request = with_hosts(request, session, engine)
    if not run_sweep(request, session).is_complete:
        session.note(BenchError.exit_code)


def _complete(
    config: DictConfig, arguments: Sequence[str]
) -> tuple[list[str], Sequence[Sequence[str]] | None]:
    """Return the overrides that make a sweep's grid, and its zipped options; None: those that it is given.

    A request that only says which sweep to resume is completed from that sweep's manifest.

    Raises:
        RequestError: There is no such sweep, or its request cannot be repeated.
    """
    given = [text for text in arguments if text.partition("=")[0] not in _RUN_CONTROLS]
    resume = config.get("resume")
    # A resume that is no id is reported by the check of the sweep's options.
    if given or not (resume == LATEST or is_sweep_id(resume)):
        return list(arguments), None
    manifest = manifest_anywhere(str(config.results_dir), str(resume))
    return [*manifest.repeatable_arguments(), *arguments], [list(group) for group in manifest.zip]
