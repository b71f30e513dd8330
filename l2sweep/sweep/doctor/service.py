"""The service of an examination: it runs as long as the examination does."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from l2sweep.config.adapter.servers import with_server
from l2sweep.config.point import PointConfig
from l2sweep.services.started import StartedServices
from l2sweep.sweep.checks.probe import probe_problem
from l2sweep.sweep.doctor.new_places import new_places_removed


@contextlib.contextmanager
def served(point: PointConfig, scratch_dir: str) -> Iterator[PointConfig]:
    """Yield a point with the spec of its service, which runs during the block; the point itself without one.

    Args:
        point: The point.
        scratch_dir: Folder in which the service gets a folder of its own.

    Raises:
        RequestError: The service cannot be started.
        KeyboardInterrupt: The user asked to stop.
    """
    if not point.service:
        yield point
        return
    with new_places_removed([scratch_dir]), StartedServices(Path(scratch_dir), probe_problem) as services:
        fields_of = functools.partial(services.spec_fields, point.service)
        yield replace(point, adapter_spec=with_server(point.adapter_spec, point.service, fields_of))
