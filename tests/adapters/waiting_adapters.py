"""An adapter that waits in the midst of a round, loaded through the ``plugin`` type of LMCache.

It keeps its data as the ``fs`` adapter does.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig

__all__ = ["FSL2AdapterConfig"]


class WaitingLoad(FSL2Adapter):
    """Waits in each load until the file ``go`` is beside its folder. Before, it makes ``waiting-`` and more.

    The rest of the name of that file is the end of the namespace: the number of the client.
    """

    config_class_name = "FSL2AdapterConfig"

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        self._folder = Path(str(config.base_path)).parent

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        client = keys[0].model_name.rpartition("-")[2]
        (self._folder / f"waiting-{client}").touch()
        while not (self._folder / "go").exists():
            time.sleep(0.02)
        return super().submit_load_task(keys, objects)
