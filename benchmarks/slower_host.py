"""The control adapter on a host that is slower by a known share, which its environment tells.

A fleet has one configuration for all hosts. So what makes one host slower is a variable of its worker.
"""

from __future__ import annotations

import os
from typing import Any

from l2sweep.bench.control.adapter import ControlAdapter, ControlAdapterConfig

SLOWER = "L2SWEEP_BENCHMARK_SLOWER"
"""Environment variable, which ``fleet.py`` sets: 0.15 makes each request take 15 % longer."""


class SlowerHostConfig(ControlAdapterConfig):
    """The fields of the control adapter."""


class SlowerHost(ControlAdapter):
    """Serves each request in ``service_ms``, times 1 + the share in the environment."""

    config_class_name = "SlowerHostConfig"

    def __init__(self, config: SlowerHostConfig, l1_memory_desc: Any = None) -> None:
        longer_ms = config.service_ms * (1 + float(os.environ.get(SLOWER, "0")))
        super().__init__(SlowerHostConfig(config.servers, longer_ms, config.synchronous), l1_memory_desc)
