"""Which service is the server of a spec, and what stands in the spec until it runs."""

from __future__ import annotations

from typing import Any

import pytest
from shipped import configuration, point

from l2sweep.config.adapter.servers import lacks_server, placeholder, service_of, with_server
from l2sweep.config.reading import read_point
from l2sweep.credentials import literal_fields
from l2sweep.errors import RequestError
from l2sweep.services.folders import ServerFolder
from l2sweep.services.started import KINDS

OWN = {"type": "resp", "host": "redis.example", "port": 6379, "password": "mine"}
WITHOUT = {"type": "resp", "host": "???", "port": 6379, "num_workers": 8}


@pytest.mark.parametrize(
    ("spec", "option", "service"),
    [
        (WITHOUT, "auto", "redis"),
        ({"type": "resp"}, "redis", "redis"),
        ({"type": "valkey"}, "auto", "redis"),
        ({"type": "s3", "s3_endpoint": "???"}, "auto", "seaweedfs"),
        ({"type": "s3"}, "moto", "moto"),
        ({"type": "fault_inject", "inner": {"type": "resp", "host": None}}, "auto", "redis"),
        (WITHOUT, "none", ""),
        (WITHOUT, "seaweedfs", ""),
        (OWN, "auto", ""),
        (OWN, "redis", ""),
        ({"type": "fs", "base_path": "kv"}, "auto", ""),
        ({"type": "bigtable", "bigtable_project_id": "p"}, "auto", ""),
    ],
)
def test_a_service_is_started_only_for_a_spec_that_names_no_server(
    spec: dict[str, Any], option: str, service: str
) -> None:
    assert service_of(spec, option, {}) == service


@pytest.mark.parametrize("option", ["auto", "bigtable"])
def test_bigtable_has_no_service_and_one_line_says_so(option: str) -> None:
    with pytest.raises(RequestError, match=rf"service={option}: .*emulator.*adapter\.bigtable_project_id"):
        service_of({"type": "bigtable"}, option, {})
    assert service_of({"type": "bigtable"}, option, {"BT_PROJECT_ID": "p"}) == ""


def test_a_service_takes_the_place_of_server_and_credentials_and_nothing_else() -> None:
    spec = {**WITHOUT, "username": "bob", "password": "old"}
    planned = with_server(spec, "redis", placeholder("redis"))
    assert planned == {"type": "resp", "host": "<redis>", "port": "<redis>", "num_workers": 8}
    running = with_server(planned, "redis", lambda _: {"host": "127.0.0.1", "port": 7, "password": "new"})
    assert running == {
        "type": "resp",
        "host": "127.0.0.1",
        "port": 7,
        "num_workers": 8,
        "password": "new",
    }


def test_a_server_of_ones_own_inside_another_spec_stays() -> None:
    spec = {"type": "fault_inject", "inner": OWN}
    assert with_server(spec, "redis", placeholder("redis")) == spec
    assert not lacks_server(spec)
    inside = with_server({"type": "fault_inject", "inner": WITHOUT}, "redis", placeholder("redis"))
    assert inside["inner"]["host"] == "<redis>"


def test_the_identity_is_the_same_every_night_and_not_that_of_a_server_of_ones_own() -> None:
    auto, named = (point(adapter=WITHOUT, service=option) for option in ("auto", "redis"))
    assert auto.point_id == named.point_id
    assert auto.service == "redis"
    assert auto.spec_identity == {"type": "resp", "host": "<redis>", "port": "<redis>", "num_workers": 8}
    assert point(adapter=OWN, service="auto").point_id == point(adapter=OWN).point_id != auto.point_id


def test_a_planned_spec_contains_no_credential() -> None:
    assert literal_fields(point(adapter={**WITHOUT, "password": "old"}, service="auto").adapter_spec) == []


def test_a_missing_server_is_reported_with_the_way_to_start_one() -> None:
    with pytest.raises(RequestError, match=r"adapter\.host: no value .*\(service=auto starts a server\)"):
        read_point(configuration(adapter=WITHOUT), [], {})


@pytest.mark.parametrize(
    ("service", "adapter_type"),
    [("redis", "resp"), ("redis", "valkey"), ("seaweedfs", "s3"), ("moto", "s3")],
)
def test_a_service_sets_the_fields_that_stand_in_the_plan(
    service: str, adapter_type: str, tmp_path: Any
) -> None:
    kind = KINDS[service]
    folder = ServerFolder.make(tmp_path)
    with folder.lock:
        running = kind(folder, tuple(range(1, kind.num_ports + 1)), "s3cr3t" * 5)
        fields = running.spec_fields(adapter_type)
    planned = placeholder(service)(adapter_type)
    assert planned.keys() <= fields.keys()
    assert len(literal_fields({"type": adapter_type, **fields})) == len(fields) - len(planned)
