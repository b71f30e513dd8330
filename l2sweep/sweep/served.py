"""Give each point whose server is a service the address and the credentials of the running service."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from l2sweep.config.adapter.servers import with_server
from l2sweep.services.started import StartedServices
from l2sweep.sweep.plan import PlannedPoint


def served_points(points: Sequence[PlannedPoint], services: StartedServices) -> list[PlannedPoint]:
    """Return the points with the spec of a running server. Their identity stays.

    Args:
        points: Points to run. Services that none of them needs are not started.
        services: Starts the services.

    Raises:
        RequestError: A service cannot be started.
        KeyboardInterrupt: The user asked to stop.
    """
    return [_served(planned, services) for planned in points]


def _served(planned: PlannedPoint, services: StartedServices) -> PlannedPoint:
    point = planned.config
    if not point.service:
        return planned
    fields_of = functools.partial(services.spec_fields, point.service)
    spec = with_server(point.adapter_spec, point.service, fields_of)
    return replace(planned, config=replace(point, adapter_spec=spec, planned_spec=point.adapter_spec))
