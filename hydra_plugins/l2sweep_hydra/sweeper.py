"""The sweeper: Hydra's grid of values, checked whole before the first point runs."""

# No `from __future__ import annotations` here: Hydra runs a plugin's module before it is in sys.modules,
# where dataclasses would look the annotations up.

from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override


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


class L2SweepSweeper(BasicSweeper):
    """Hydra's basic sweeper in one batch, which writes nothing itself: it would write credentials."""

    def __init__(self, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size=None, params=params)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the grid.

        Args:
            arguments: Overrides, those with several values among them.
        """
        from l2sweep.grid import grid
        from l2sweep.hydra_sweep import request_of

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.launcher is not None
        arguments, zipped = request_of(self.config, [*self._parse_config(), *arguments])
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        axes = {
            override.get_key_element(): self._values(override)
            for override in parser.parse_overrides(arguments)
        }
        self.launcher.arguments = arguments
        return [self.launcher.launch(grid(axes, zipped), initial_job_idx=0)]

    def _values(self, override: Override) -> list[str]:
        """Return an option's values, each as an override of its own."""
        (batch,) = self.split_arguments([override], None)
        return [text for (text,) in batch]
