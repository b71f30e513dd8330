"""The launcher: each point of a sweep in a process of its own."""

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
    """Its configuration: there is nothing to choose."""

    _target_: str = "hydra_plugins.l2sweep_hydra.launcher.L2SweepLauncher"


ConfigStore.instance().store(
    group="hydra/launcher", name="l2sweep", node=L2SweepLauncherConf, provider="l2sweep"
)


class L2SweepLauncher(Launcher):  # type: ignore[misc, unused-ignore]
    """Hands the points of a sweep to :mod:`l2sweep.sweep`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Remember what composing the points needs."""
        self.hydra_context = hydra_context
        self.config = config
        self.arguments: Sequence[str] = ()  # l2sweep's own sweeper says what made the grid

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run one point for each list of overrides and return as many results, in order."""
        from l2sweep.hydra_sweep import launch

        return launch(
            self.hydra_context.config_loader,
            self.config,
            job_overrides,
            self.arguments,
        )
