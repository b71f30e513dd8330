"""A point whose server is a service gets the address of the running one, and keeps its identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shipped import point

from l2sweep.credentials import secrets_of
from l2sweep.sweep.plan import PlannedPoint
from l2sweep.sweep.served import served_points


@dataclass
class FakeServices:
    asked: list[tuple[str, str]] = field(default_factory=list)

    def spec_fields(self, name: str, adapter_type: str) -> dict[str, Any]:
        self.asked.append((name, adapter_type))
        return {"host": "127.0.0.1", "port": 7, "password": "hunter22"}


def test_only_a_point_without_a_server_gets_one_and_its_secret_is_known() -> None:
    services = FakeServices()
    adapters = [{"type": "resp", "host": "???"}, {"type": "resp", "host": "own", "port": 1}, {"type": "fs"}]
    configs = [point(adapter=adapter, service="auto") for adapter in adapters]
    planned = [PlannedPoint(index, index, 0, config) for index, config in enumerate(configs)]
    served = served_points(planned, services)
    assert services.asked == [("redis", "resp")]
    assert served[1:] == planned[1:]
    spec = served[0].config.adapter_spec
    assert spec == {"type": "resp", "host": "127.0.0.1", "port": 7, "password": "hunter22"}
    assert secrets_of(spec) == {"hunter22"}
    assert served[0].config.planned_spec == planned[0].config.adapter_spec
    assert served[0].config.point_id == planned[0].config.point_id
