"""The services of one sweep: each is started when a point first needs it, and stopped with the sweep."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from l2sweep.services.moto import MotoService
from l2sweep.services.redis_server import RedisService
from l2sweep.services.running import ProbeSpec, RunningService
from l2sweep.services.seaweedfs import SeaweedService
from l2sweep.services.service import Service

KINDS: dict[str, type[Service]] = {kind.name: kind for kind in (RedisService, SeaweedService, MotoService)}
"""Every service by its name."""


class StartedServices(AbstractContextManager["StartedServices"]):
    """The services that this process has started.

    Args:
        below: The folder in which each service gets a folder of its own.
        probe: Says whether an adapter can use its server.
        log_folder: The folder for the logs of the services when they are stopped; None: their logs are
            removed. A folder that does not exist is not made.
    """

    def __init__(self, below: Path, probe: ProbeSpec, log_folder: Path | None = None) -> None:
        self._below = below
        self._probe = probe
        self._log_folder = log_folder
        self._running: dict[str, RunningService] = {}

    def __exit__(self, *error: object) -> None:
        """Stop all services, and keep their logs."""
        for name, service in self._running.items():
            text = service.log()
            service.stop()
            if self._log_folder is not None:
                with contextlib.suppress(OSError):  # nothing of the sweep was saved, or its disk is full
                    (self._log_folder / f"service-{name}.log").write_text(text)
        self._running.clear()

    def spec_fields(self, name: str, adapter_type: str) -> Mapping[str, Any]:
        """Return the fields of an adapter spec that make it use a service, which is started if necessary.

        Args:
            name: Name of the service.
            adapter_type: Type of the adapter.

        Raises:
            RequestError: The service cannot be started.
            KeyboardInterrupt: The user asked to stop.
        """
        if name not in self._running:
            self._running[name] = RunningService(KINDS[name], self._below, adapter_type, self._probe)
        return self._running[name].spec_fields(adapter_type)
