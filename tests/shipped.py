"""The configuration that is shipped, checked, with changes: for tests that need a point."""

from __future__ import annotations

import copy
import functools
from typing import Any

from conftest import ROOT
from omegaconf import DictConfig, OmegaConf

from l2sweep.cli.hydra_app.configuration import register_resolvers
from l2sweep.config.point import PointConfig
from l2sweep.config.reading import read_point

CONF = ROOT / "conf"


@functools.cache
def _shipped() -> DictConfig:
    register_resolvers(new_sweep_id="20261124T000000Z-0000")
    config = OmegaConf.load(CONF / "config.yaml")
    assert isinstance(config, DictConfig)
    config.adapter = OmegaConf.load(CONF / "adapter" / "fs.yaml")
    config.cache = OmegaConf.load(CONF / "cache" / "hot.yaml")
    for name in ("hydra", "defaults"):
        del config[name]
    return config


def configuration(**changes: Any) -> dict[str, Any]:
    """Return the configuration that is shipped, resolved, with changes."""
    config = copy.deepcopy(_shipped())
    for name, value in changes.items():
        config[name] = value
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(name): value for name, value in plain.items()}


def point(**changes: Any) -> PointConfig:
    return read_point(configuration(**changes), [], {})
