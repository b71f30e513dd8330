"""The sweeper: runs every point of a grid."""

# No `from __future__ import annotations` here: Hydra runs a plugin's module before it is in sys.modules,
# where dataclasses would look the annotations up.

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class L2SweepSweeperConf:
    """Its configuration.

    Attributes:
        params: The grid: from an option to its values, as on a command line.
    """

    _target_: str = "hydra_plugins.l2sweep_hydra.sweeper.L2SweepSweeper"
    params: dict[str, str] | None = None


ConfigStore.instance().store(
    group="hydra/sweeper", name="l2sweep", node=L2SweepSweeperConf, provider="l2sweep"
)


class L2SweepSweeper(Sweeper):  # type: ignore[misc, unused-ignore]
    """Hands the grid to :mod:`l2sweep.cli.hydra_app.launch`."""

    def __init__(self, params: dict[str, str] | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what composing the points needs."""
        self.hydra_context = hydra_context
        self.config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Run the grid.

        Args:
            arguments: Overrides, including those with several values.
        """
        from l2sweep.cli.hydra_app.launch import launch_grid

        assert self.hydra_context is not None
        assert self.config is not None
        of_config = [f"{name}={values}" for name, values in self.params.items()]
        launch_grid(self.hydra_context.config_loader, self.config, [*of_config, *arguments])
