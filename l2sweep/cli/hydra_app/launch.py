"""From a composed configuration to a run: one point, or every point of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from l2sweep.cli.hydra_app.compose import PointComposer
from l2sweep.cli.hydra_app.configuration import (
    PastHydraError,
    read_request,
    secrets_of_request,
    used_config_folder,
)
from l2sweep.config.grid import grid
from l2sweep.config.point import PointConfig
from l2sweep.config.reading import SWEEP_OPTIONS
from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import BenchError, RequestError, collected, shown
from l2sweep.sweep.session import current_session
from l2sweep.sweep.state.manifest import load_manifest

if TYPE_CHECKING:
    from l2sweep.sweep.prepare import SweepRequest

# pyarrow and pandas are imported by what runs a sweep, and not to show the configuration.

# Options that say how the rest of a sweep is run, and not what it measures.
_RUN_CONTROLS = (
    "resume",
    "retry_failed",
    "results_dir",
    "on_failure",
    "lock",
    "quiet",
    "report_format",
    "report_file",
    "isolation",
    "dry_run",
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
        overrides = list(hydra.overrides.task)  # an interpolation in an override is resolved here
        sweep, point = read_request(config, overrides)
        whole = OmegaConf.merge({"hydra": hydra}, config)
        assert isinstance(whole, DictConfig)
        request = sweep_request(sweep, [point], overrides, whole, is_single=True)
        _run(request)
    except Exception as error:
        raise PastHydraError(error) from error


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
    axes = {override.get_key_element(): _values(override) for override in overrides}
    composer = PointComposer(config_loader, config)
    sweep, points = read_points(composer, grid(axes, zipped))
    _run(sweep_request(sweep, points, arguments, config))


def read_points(
    composer: PointComposer, job_overrides: Sequence[Sequence[str]]
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
    problems: list[str] = []
    sweeps: list[SweepConfig] = []
    for overrides in job_overrides:
        with collected(problems):
            sweep, point = read_request(composer.compose(overrides), overrides)
            sweeps.append(sweep)
            points.append(point)
    for name in SWEEP_OPTIONS:
        values = list(dict.fromkeys(shown(getattr(sweep, name)) for sweep in sweeps))
        if len(values) > 1:
            several = ",".join(values)
            problems.append(f"{name}={several}: must be one value, since it holds for the whole sweep")
    if problems or not sweeps:
        raise RequestError(list(dict.fromkeys(problems)) or ["the sweep has no point"])
    return sweeps[0], points


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
        secrets=frozenset().union(*map(secrets_of_request, points)),
        is_single=is_single,
    )


def _run(request: SweepRequest) -> None:
    from l2sweep.sweep.loop import run_sweep

    session = current_session()
    if not run_sweep(request, session).is_complete:
        session.note(BenchError.exit_code)


def _values(override: Override) -> list[str]:
    """Return an option's values, each as an override of its own.

    Raises:
        RequestError: They cannot be listed, as those of an interval.
    """
    name = override.get_key_element()
    if override.is_delete() and override.value() is None:
        return [name]
    if not override.is_sweep_override():
        return [f"{name}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise RequestError([f"{override.input_line}: a grid needs values that can be listed; use a search"])
    return [f"{name}={value}" for value in override.sweep_string_iterator()]


def _complete(config: DictConfig, arguments: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return the overrides that make a sweep's grid, and its zipped options.

    A request that only says which sweep to resume is completed from that sweep's manifest.

    Raises:
        RequestError: There is no such sweep, or its request cannot be repeated.
    """
    zipped = OmegaConf.to_container(config.zip) if config.get("zip") else []
    given = [text for text in arguments if text.partition("=")[0] not in _RUN_CONTROLS]
    if config.get("resume") is None or given:
        return list(arguments), zipped  # type: ignore[return-value]
    manifest = load_manifest(str(config.results_dir), str(config.resume))
    return [*manifest.repeatable_arguments(), *arguments], [list(group) for group in manifest.zip]
