"""A sweep's points from Hydra's overrides, and Hydra's results from what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

from l2sweep.analysis.statistics import summarise
from l2sweep.config import PointConfig, SweepConfig
from l2sweep.errors import BenchError, RequestError
from l2sweep.hydra_app import read_request, secrets_of_request, used_config_folder, without_hydra
from l2sweep.options import SWEEP_RULES, shown
from l2sweep.sweep.results_dir import require_new_sweep, require_writable, save_configuration, sweep_folder
from l2sweep.sweep.run import STOPPED, run_sweep
from l2sweep.sweep.runner import PointResult


def launch(
    config_loader: ConfigLoader,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first_index: int,
) -> list[JobReturn]:
    """Compose and check every point, then run them.

    Args:
        config_loader: Hydra's.
        config: The composed configuration of the whole sweep.
        job_overrides: For each point its overrides.
        first_index: The number of the first of them in the sweep.

    Returns:
        As many results as there are points, in order; the value is the load's throughput in MiB/s.

    Raises:
        RequestError: With everything that is wrong with any of the points; nothing was run.
    """
    composed = [_compose(config_loader, config, overrides) for overrides in job_overrides]
    sweep, points = _check(composed, job_overrides)
    require_writable(sweep.results_dir)
    require_new_sweep(sweep)
    secrets = set().union(*(secrets_of_request(point) for point in points))
    save_configuration(
        sweep_folder(sweep),
        {
            "multirun.yaml": OmegaConf.to_container(config),
            "points.yaml": [list(each) for each in job_overrides],
        },
        secrets,
    )
    results = run_sweep(sweep, points, used_config_folder(config.hydra), first_index)
    return [
        _job_return(composed[index], job_overrides[index], results[index] if index < len(results) else None)
        for index in range(len(points))
    ]


def exit_code_of(results: Sequence[JobReturn]) -> int:
    """Return the exit code of a sweep: 0 all measured, 1 something failed, 130 stopped."""
    failures = [result._return_value for result in results if result.status == JobStatus.FAILED]
    if any(isinstance(failure, PointStoppedError) for failure in failures):
        return STOPPED
    return 1 if failures else 0


class PointStoppedError(BenchError):
    """The user stopped the sweep during this point or before it."""

    exit_code = STOPPED


def _compose(config_loader: ConfigLoader, config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    composed = config_loader.load_sweep_config(config, list(overrides))
    return without_hydra(composed)


def _check(
    composed: Sequence[DictConfig], job_overrides: Sequence[Sequence[str]]
) -> tuple[SweepConfig, list[PointConfig]]:
    points: list[PointConfig] = []
    problems: dict[str, None] = {}
    sweeps: list[SweepConfig] = []
    for config, overrides in zip(composed, job_overrides, strict=True):
        try:
            sweep, point = read_request(config, overrides)
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


def _job_return(config: DictConfig, overrides: Sequence[str], result: PointResult | None) -> JobReturn:
    value: Any
    status = JobStatus.FAILED
    if result is None or result.exit_code == STOPPED:
        value = PointStoppedError("stopped by the user")
    elif result.exit_code:
        value = BenchError(f"{result.point['status']}: {result.point['detail']}")
    else:
        value, status = summarise("load", result.rounds).mib_per_s, JobStatus.COMPLETED
    returned = JobReturn(
        overrides=list(overrides), cfg=config, working_dir=str(Path.cwd()), task_name="l2sweep", status=status
    )
    returned.return_value = value
    return returned
