"""Hydra and l2sweep: from a composed configuration to a run, for one point or for many."""

from __future__ import annotations

import functools
import os
import secrets as random_source
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from l2sweep import adapter_spec, credentials
from l2sweep.config import PointConfig, SweepConfig, read_point, read_sweep
from l2sweep.errors import RequestError


@functools.cache
def new_sweep_id() -> str:
    """Return this process's sweep id: date and time (UTC), and four random digits."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{random_source.token_hex(2)}"


def register_resolvers() -> None:
    """Teach OmegaConf what ``conf/config.yaml`` asks for."""
    OmegaConf.register_new_resolver("l2sweep_new_sweep_id", new_sweep_id, use_cache=True, replace=True)


def config_folder() -> Path:
    """Return the folder of the configuration that l2sweep ships."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"  # in a wheel; in the project's tree it stands beside the package
    return inside if inside.is_dir() else package.parent / "conf"


def read_request(config: DictConfig, overrides: Sequence[str]) -> tuple[SweepConfig, PointConfig]:
    """Check a composed configuration.

    Args:
        config: Without its ``hydra`` node.
        overrides: The command line's overrides.

    Raises:
        RequestError: With everything that is wrong with it.
    """
    plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    assert isinstance(plain, dict)
    values: Mapping[str, Any] = {str(name): value for name, value in plain.items()}
    problems: list[str] = []
    sweep: SweepConfig | None = None
    point: PointConfig | None = None
    try:
        sweep = read_sweep(values)
    except RequestError as error:
        problems += error.problems
    try:
        point = read_point(values, overrides, os.environ)
    except RequestError as error:
        problems += error.problems
    if sweep is None or point is None:
        raise RequestError(problems)
    return sweep, point


def run_single(config: DictConfig) -> None:
    """Run the one point that a composed configuration describes; Hydra's task function.

    Raises:
        SystemExit: Always, with the exit code: Hydra passes it on as it is.
        RequestError: The request is wrong; nothing was written.
    """
    from l2sweep.sweep.results_dir import require_writable, save_configuration, sweep_folder
    from l2sweep.sweep.run import run_point

    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    sweep, point = read_request(config, overrides)
    require_writable(sweep.results_dir)
    exit_code = run_point(sweep, point, used_config_folder(hydra))
    save_configuration(
        sweep_folder(sweep) / ".hydra",
        {
            "config.yaml": OmegaConf.to_container(config),
            "overrides.yaml": overrides,
            "hydra.yaml": {"hydra": OmegaConf.to_container(hydra)},
        },
        secrets_of_request(point),
    )
    raise SystemExit(exit_code)


def used_config_folder(hydra: Any) -> Path:
    """Return the folder that a run's configuration came from: the user's own before l2sweep's."""
    for source in hydra.runtime.config_sources:
        if source.provider == "command-line" and source.schema == "file":
            return Path(source.path)
    return config_folder()


def secrets_of_request(point: PointConfig) -> set[str]:
    """Return every text of a request that must not be seen."""
    found = credentials.secrets_of(point.adapter_spec)
    for text in (*point.overrides, os.environ.get(adapter_spec.ENVIRONMENT_VARIABLE, "")):
        found |= credentials.secrets_in_text(text)
    return found
