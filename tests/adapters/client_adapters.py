"""Adapters with a fault in one of several clients, loaded through the ``plugin`` type of LMCache.

They keep their data as the ``fs`` adapter does. The fault is that of the client with number 1, in its second
load.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2Adapter, FSL2AdapterConfig

__all__ = ["FSL2AdapterConfig"]


class _FaultyClient(FSL2Adapter):
    config_class_name = "FSL2AdapterConfig"

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config)
        self._loads = 0

    def submit_load_task(self, keys: Any, objects: Any) -> int:
        self._loads += 1
        if self._loads == 2 and keys[0].model_name.endswith("-c001"):
            self.fail()
        return super().submit_load_task(keys, objects)

    def fail(self) -> None:
        """Do what this client does wrong."""


class KilledClient(_FaultyClient):
    """Is killed."""

    def fail(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class StoppedClient(_FaultyClient):
    """Is stopped for a second."""

    def fail(self) -> None:
        subprocess.Popen(["sh", "-c", f"sleep 1; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)


class RaisingClient(_FaultyClient):
    """Raises an exception."""

    def fail(self) -> None:
        raise ConnectionResetError("reset by peer")


class SoundClient(_FaultyClient):
    """Has no fault."""
