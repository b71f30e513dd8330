"""The control adapter with a service time that a file changes, loaded as a ``plugin`` of LMCache.

The file is no part of the time in the spec, so a point keeps its id when it becomes slower.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from l2sweep.bench.control.adapter import ControlAdapter, ControlAdapterConfig
from l2sweep.bench.control.servers import Servers


class DelayedAdapterConfig(ControlAdapterConfig):
    """The fields of ``adapter_params``: those of the control, and the path of the file."""

    factors_file = ""

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> DelayedAdapterConfig:
        fields = dict(d)
        factors_file = fields.pop("factors_file")
        config = super().from_dict(fields)
        config.factors_file = factors_file
        return config


class Delayed(ControlAdapter):
    """Takes the service time, multiplied by the factor that the file has for the size of a key in KiB.

    A lookup has no size. It takes as long as the store or load before it.
    """

    config_class_name = "DelayedAdapterConfig"

    def __init__(self, config: DelayedAdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._config = config
        self._factors = json.loads(Path(config.factors_file).read_text())

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        self._use_size(objects)
        return super().submit_store_task(keys, objects)

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        self._use_size(objects)
        return super().submit_load_task(keys, objects)

    def _result(self, work: Callable[[], Any], due_s: float, failed: Any) -> Any:
        """Return the result of a task also if its copy was late, which fails a task of the control."""
        return work()

    def _use_size(self, objects: Any) -> None:
        factor = self._factors.get(str(len(objects[0].byte_array) // 1024), 1.0)
        self._servers = Servers(self._config.servers, self._config.service_ms / 1000 * factor)
