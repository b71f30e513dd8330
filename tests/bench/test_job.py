"""The job of a benchmark process as JSON, in this release and in earlier ones."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from small_job import WORKLOAD, small_job, small_workload

from l2sweep.bench.job import Job, adapter_types, local_paths
from l2sweep.bench.rendezvous.address import Rendezvous

# A request in a journal of a release before Workload.
OLD: dict[str, Any] = {
    "adapter_spec": {"type": "fs", "base_path": "/mnt/nvme/kv", "secret": "***"},
    "phases": ["store", "load"],
    "num_keys": 3,
    "in_flight": 2,
    "data_size_kb": 256,
    "rounds": 5,
    "warmup_rounds": 1,
    "lookup_max_hit_rate": 0.25,
    "namespace": "l2sweep-x",
    "fresh_namespace": True,
    "seed": 7,
    "verify": False,
    "delete_before": True,
    "delete_after": True,
    "l1_align_bytes": 65536,
    "l1_use_hugepages": True,
    "timeout_s": {"store": 30.0, "lookup": 10.0, "load": 30.0},
    "keys_stored": True,
    "cache_paths": ["/mnt/nvme/kv"],
    "max_resident": 0.01,
    "flush_paths": ["/mnt/nvme/kv"],
}


def test_a_job_in_json_is_the_same_job() -> None:
    job = small_job(
        {"type": "fault_inject", "inner": {"type": "fs", "base_path": "kv"}, "gap_indices": [1, 2]},
        phases=("lookup", "load"),
        cache_paths=("/a", "/b"),
        max_resident_fraction=0.25,
        flush_paths=("/a",),
    )
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json(small_job({"type": "mock"}).to_json()) == small_job({"type": "mock"})


def test_a_job_of_an_earlier_release_is_read() -> None:
    job = Job.from_json(json.dumps(OLD))
    assert job.workload == small_workload(
        num_keys=3,
        in_flight=2,
        data_size_kb=256,
        rounds=5,
        warmup_rounds=1,
        lookup_max_hit_rate=0.25,
        seed=7,
        l1_align_bytes=65536,
        l1_use_hugepages=True,
    )
    assert job.max_resident_fraction == 0.01
    assert (job.phases, job.cache_paths) == (("store", "load"), ("/mnt/nvme/kv",))
    same = {field.name: getattr(job, field.name) for field in dataclasses.fields(job)}
    for name in ("adapter_spec", "namespace", "verify", "delete_before", "timeout_s", "keys_stored"):
        assert same[name] == OLD[name]
    assert Job.from_json(job.to_json()) == job


def test_optional_fields_of_an_earlier_release_may_be_missing() -> None:
    optional = ("keys_stored", "cache_paths", "max_resident", "flush_paths")
    job = Job.from_json(json.dumps({name: value for name, value in OLD.items() if name not in optional}))
    assert (job.keys_stored, job.cache_paths, job.max_resident_fraction, job.flush_paths) == (
        False,
        (),
        None,
        (),
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ValueError),
        ("{", ValueError),
        ("{}", KeyError),
        (json.dumps({name: value for name, value in OLD.items() if name != "seed"}), KeyError),
        (json.dumps({name: value for name, value in OLD.items() if name != "verify"}), TypeError),
        (json.dumps({**OLD, "colour": "red"}), TypeError),
        (json.dumps({"workload": {**WORKLOAD, "colour": "red"}}), TypeError),
    ],
)
def test_a_text_that_is_not_a_job_is_an_error(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Job.from_json(text)


@pytest.mark.parametrize(
    ("phases", "delete_after", "only_checks"),
    [((), False, True), ((), True, False), (("store",), False, False), (("store",), True, False)],
)
def test_a_job_without_phases_and_deletes_only_checks_the_spec(
    phases: tuple[str, ...], delete_after: bool, only_checks: bool
) -> None:
    job = small_job({"type": "mock"}, phases=phases, delete_after=delete_after)
    assert job.only_checks_spec == only_checks


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({"type": "fs", "base_path": "kv"}, ["fs"]),
        ({"type": "fault_inject", "inner": {"type": "fs", "base_path": "kv"}}, ["fault_inject", "fs"]),
        ({"type": "plugin", "adapter_params": {"a": {"type": "x"}}}, ["plugin", "x"]),
        ({"inner": {"type": "fs"}}, ["fs"]),
        ({}, []),
    ],
    ids=str,
)
def test_adapter_types_are_those_of_the_spec_and_of_inner_specs(
    spec: dict[str, Any], types: list[str]
) -> None:
    assert adapter_types(spec) == types


def test_the_places_of_a_spec_are_its_own_and_those_of_the_specs_inside() -> None:
    inner = {"type": "fs", "base_path": "/inner", "options": {"file_path": "/deep", "device_path": ""}}
    spec = {"type": "x", "inner": inner, "device_path": "/dev/one", "base_path": "/own", "file_path": 7}
    assert local_paths(spec) == ["/own", "/dev/one", "/inner", "/deep"]
    assert local_paths({"type": "mock"}) == []


def test_each_client_has_keys_and_bytes_of_its_own() -> None:
    job = small_job({"type": "mock"}, namespace="l2sweep-x", payload_namespace="l2sweep-x")
    own = [job.of_client(client) for client in range(12)]
    assert own[1].namespace == own[1].payload_namespace == "l2sweep-x-c001"
    assert not any(
        one.namespace in other.namespace for one in own for other in own if one is not other
    )  # files are found by a namespace in their names
    assert len({one.sentinel_namespace for one in own}) == 12


def test_clients_differ_in_their_bytes_where_those_of_all_namespaces_are_the_same() -> None:
    job = small_job({"type": "mock"}, namespace="bench-model", payload_namespace="")
    assert job.of_client(2).payload_namespace == "bench-model-c002"


def test_the_rendezvous_of_a_job_survives_json() -> None:
    job = small_job({"type": "mock"}, rendezvous=Rendezvous("token", 2, 3, remote=(1, 2)).at(4711))
    assert Job.from_json(job.to_json()) == job
