"""An adapter that prints its password in many encodings, loaded through the ``plugin`` type of LMCache."""

from __future__ import annotations

import logging
import os
from typing import Any

from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig
from password_forms import all_forms

_logger = logging.getLogger("lmcache.leaking")


class LeakingConfig(FSL2AdapterConfig):
    """The configuration of the fs adapter, and a password."""

    password = ""

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> LeakingConfig:
        plain = FSL2AdapterConfig.from_dict(d)
        config = cls.__new__(cls)
        config.__dict__.update(plain.__dict__)
        config.password = d["password"]
        return config


class LeakingStore(FSL2Adapter):
    """Prints its password when it is created, and raises it in the first store."""

    config_class_name = "LeakingConfig"

    def __init__(self, config: LeakingConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        self._password = config.password
        os.write(2, f"connecting with {all_forms(config.password)}\n".encode())
        _logger.error("refused: %s", all_forms(config.password))

    def submit_store_task(self, keys: Any, objects: Any) -> int:
        raise RuntimeError(f"AUTH failed: {all_forms(self._password)}")
