"""The composed configuration: what Hydra must not do with it, and how it is checked."""

from __future__ import annotations

import copy
import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationResolutionError

from l2sweep import credentials
from l2sweep.cli.hydra_app.engines import ENGINES
from l2sweep.config import reading
from l2sweep.config.adapter import spec as adapter_spec
from l2sweep.config.adapter.capacity import padded_bytes, padded_text
from l2sweep.config.point import PointConfig
from l2sweep.config.shipped import config_folder
from l2sweep.config.sweep import SweepConfig
from l2sweep.config.workload.model import chunk_kb, keys_within
from l2sweep.errors import RequestError, shown
from l2sweep.records.store.address import local_folder


class PastHydraError(BaseException):
    """Carries an error through Hydra, which would print the overrides or a warning instead of raising it.

    Attributes:
        error: The error that is carried.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class RequestGuard(Callback):
    """Checks Hydra's own configuration before Hydra writes anything; see ``conf/config.yaml``."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check Hydra's own configuration; the point is checked when it is run."""
        try:
            require_own_hydra(config.hydra)
        except Exception as error:
            raise PastHydraError(error) from error

    on_multirun_start = on_run_start


def require_own_hydra(hydra: Any) -> None:
    """Check that Hydra writes nothing and leaves the points of a sweep to l2sweep.

    Raises:
        RequestError: It would not.
    """
    problems = []
    if hydra.output_subdir is not None or str(hydra.run.dir) != ".":
        problems.append(
            "hydra.output_subdir, hydra.run.dir: must stay null and '.', since Hydra would write credentials "
            "there; l2sweep saves the same files in results_dir"
        )
    if hydra.job_logging.get("handlers") or hydra.hydra_logging.get("handlers"):
        problems.append("hydra/job_logging, hydra/hydra_logging: must be none; l2sweep keeps the logs")
    if not str(hydra.launcher.get("_target_")).startswith("hydra_plugins.l2sweep_hydra."):
        chosen = hydra.runtime.choices.get("hydra/launcher")
        problems.append(f"hydra/launcher={chosen}: must be l2sweep or ray")
    elif hydra.launcher.engine not in ENGINES:
        problems.append(
            f"hydra.launcher.engine={shown(hydra.launcher.engine)}: must be {' or '.join(ENGINES)}; "
            "hydra/launcher chooses it"
        )
    if str(hydra.sweeper.get("_target_")).endswith(".BasicSweeper"):
        problems.append("hydra/sweeper=basic: must be l2sweep, which is the same but writes no credentials")
    if problems:
        raise RequestError(problems)


def without_hydra(config: DictConfig) -> DictConfig:
    """Return a composed configuration without its ``hydra`` node."""
    copied = copy.copy(config)
    with open_dict(copied):
        del copied["hydra"]
    return copied


def register_resolvers(new_sweep_id: str) -> None:
    """Register the resolvers that ``conf/`` uses with OmegaConf.

    Args:
        new_sweep_id: The id of a sweep that is given none.
    """
    OmegaConf.register_new_resolver("l2sweep_new_sweep_id", lambda: new_sweep_id, replace=True)
    OmegaConf.register_new_resolver("l2sweep_local_folder", _local_folder, replace=True)
    OmegaConf.register_new_resolver("l2sweep_chunk_kb", chunk_kb, replace=True)
    OmegaConf.register_new_resolver("l2sweep_keys_within", keys_within, replace=True)
    OmegaConf.register_new_resolver("l2sweep_padded_bytes", padded_bytes, replace=True)
    OmegaConf.register_new_resolver("l2sweep_padded_text", padded_text, replace=True)
    for kind in (
        "secret",
        "secret_file",
    ):  # a reference stays as it is: only the benchmark process resolves it
        OmegaConf.register_new_resolver(kind, functools.partial(_unresolved, kind), replace=True)


def _local_folder(results_dir: Any) -> str:
    return str(local_folder(str(results_dir)))


def _unresolved(kind: str, *names: Any) -> str:
    return f"${{{kind}:{','.join(map(str, names))}}}"


def resolved(config: DictConfig) -> dict[str, Any]:
    """Return a composed configuration as plain containers, interpolations resolved.

    Args:
        config: Without its ``hydra`` node.

    Raises:
        RequestError: A resolver of l2sweep refuses a value.
    """
    try:
        values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
    except InterpolationResolutionError as error:
        # OmegaConf keeps only the text of an error that one of our resolvers raises.
        reason = str(error).partition("RequestError raised while resolving interpolation: ")[2]
        if not reason:
            raise
        raise RequestError([reason.splitlines()[0]]) from error
    assert isinstance(values, dict)
    return values


def read_request(values: Mapping[str, Any], overrides: Sequence[str]) -> tuple[SweepConfig, PointConfig]:
    """Check a composed configuration.

    Args:
        values: From :func:`resolved`.
        overrides: The overrides of the command line.

    Raises:
        RequestError: With everything that is wrong with it.
    """
    return reading.read_request(values, overrides, os.environ)


def used_config_folder(hydra: Any) -> Path:
    """Return the folder that a run's configuration came from: the user's own, else the shipped one."""
    for source in hydra.runtime.config_sources:
        if source.provider == "command-line" and source.schema == "file":
            return Path(source.path)
    return config_folder()


def secrets_of_requests(points: Iterable[PointConfig]) -> frozenset[str]:
    """Return every credential in the requests for points."""
    texts = {os.environ.get(adapter_spec.ENVIRONMENT_VARIABLE, "")}
    specs = {}
    for point in points:
        texts.update((*point.overrides, point.cache.command or ""))
        specs[json.dumps(point.adapter_spec, sort_keys=True, default=str)] = point.adapter_spec
    in_specs = (credentials.secrets_of(spec) for spec in specs.values())
    return frozenset().union(*map(credentials.secrets_in_text, texts), *in_specs)
