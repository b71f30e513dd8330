"""The engines that ``hydra/launcher`` chooses from, and the one that a configuration has chosen."""

from __future__ import annotations

from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

LOCAL = "local"
RAY = "ray"
ENGINES = (LOCAL, RAY)
_LAUNCHER = "hydra_plugins.l2sweep_hydra.launcher.L2SweepLauncher"


def offer_engines() -> None:
    """Let ``hydra/launcher=ray`` mean l2sweep's engine, in this process only.

    The package hydra-ray-launcher registers a launcher of the same name for every Hydra application.
    Whichever plugin was imported last would have the name, here and in the other applications. So l2sweep
    registers its own only when it runs, after the plugins.
    """
    Plugins.instance()  # imports them
    node = {"_target_": _LAUNCHER, "engine": RAY}
    ConfigStore.instance().store(group="hydra/launcher", name=RAY, node=node, provider="l2sweep")


def chosen_engine(hydra: Any) -> str:
    """Return the name of the engine that runs the points: ``local`` or ``ray``.

    Args:
        hydra: The ``hydra`` node of a composed configuration.
    """
    return str(hydra.launcher.engine)
