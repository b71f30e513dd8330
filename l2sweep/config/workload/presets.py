"""The models and GPUs that l2sweep ships, read from ``conf/model`` and ``conf/gpu`` without Hydra."""

from __future__ import annotations

from typing import Any, cast

from l2sweep.analysis.breakeven.geometry import ModelGeometry
from l2sweep.analysis.breakeven.prefill import Gpu
from l2sweep.config.shipped import config_folder, shipped_names
from l2sweep.config.workload.model import geometry
from l2sweep.errors import RequestError, shown


def model_geometry(name: str, **options: Any) -> ModelGeometry:
    """Return a model as it is served.

    Args:
        name: Its name in ``conf/model``.
        options: Fields of ``ModelOptions`` that differ from the file: ``tp``, ``dtype``, ``chunk_tokens``.

    Raises:
        RequestError: There is no such model, or an option has no allowed value.
    """
    return geometry({**_read("model", name), **options})


def gpu(name: str) -> Gpu:
    """Return a GPU.

    Args:
        name: Its name in ``conf/gpu``.

    Raises:
        RequestError: There is no such GPU.
    """
    fields = _read("gpu", name)
    fp8 = fields["fp8_tflops"]
    return Gpu(
        name=fields["name"],
        bf16_flops=fields["bf16_tflops"] * 1e12,
        fp8_flops=None if fp8 is None else fp8 * 1e12,
        h2d_bytes_s=fields["h2d_gb_s"] * 1e9,
    )


def _read(group: str, name: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    if name not in (known := shipped_names(group)):
        raise RequestError([f"{group}={shown(name)}: must be one of {', '.join(known)}"])
    config = OmegaConf.load(config_folder() / group / f"{name}.yaml")
    # The rest of the file of a model refers to resolvers of Hydra's application.
    fields = cast(dict[str, Any], OmegaConf.to_container(config, resolve=False))[group]
    return cast(dict[str, Any], fields)
