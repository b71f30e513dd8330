"""The launcher: runs the trials of a search."""

# No `from __future__ import annotations` here: Hydra runs a plugin's module before it is in sys.modules,
# where dataclasses would look the annotations up.

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class L2SweepLauncherConf:
    """Its configuration.

    Attributes:
        engine: What runs the points: ``local`` or ``ray`` (``l2sweep.cli.hydra_app.engines``).
    """

    _target_: str = "hydra_plugins.l2sweep_hydra.launcher.L2SweepLauncher"
    engine: str = "local"


ConfigStore.instance().store(
    group="hydra/launcher", name="l2sweep", node=L2SweepLauncherConf, provider="l2sweep"
)


class L2SweepLauncher(Launcher):  # type: ignore[misc, unused-ignore]
    """Hands the trials of a search to :mod:`l2sweep.cli.hydra_app.search`; a grid needs no launcher.

    Args:
        engine: What runs the points. It is read from the configuration, for a grid and a search alike.
    """

    def __init__(self, engine: str = "local") -> None:
        self.engine = engine

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what composing the trials needs."""
        self.hydra_context = hydra_context
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one trial for each list of overrides and return as many results, in order."""
        from l2sweep.cli.hydra_app.search import launch_trials

        return launch_trials(self.hydra_context.config_loader, self.config, job_overrides)
