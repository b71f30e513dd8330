"""Several clients: their identity, their jobs, what they need, and what cannot be combined."""

from __future__ import annotations

from typing import Any

import pytest
from shipped import point

from l2sweep.errors import RequestError
from l2sweep.sweep.checks.feasibility import Needs

CLIENTS = {"clients": 4}


def test_clients_are_part_of_the_identity_only_where_there_are_several() -> None:
    assert point(clients=1).point_id == point().point_id
    assert len({point(clients=clients).point_id for clients in (1, 2, 4)}) == 3


def test_a_phase_alone_finds_what_another_number_of_clients_stored() -> None:
    two, four = (point(only="load", clients=clients).job("label") for clients in (2, 4))
    assert two.namespace == four.namespace


def test_clients_need_as_much_as_one_each() -> None:
    one, four = Needs.of(point()), Needs.of(point(**CLIENTS))
    assert four.memory_bytes == 4 * one.memory_bytes
    assert four.write_bytes == 4 * one.write_bytes
    assert four.read_bytes == 4 * one.read_bytes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"clients": 0}, "clients=0: must be an integer from 1 to 256"),
        ({"clients": 257}, "clients=257: must be an integer from 1 to 256"),
        ({"rounds": "auto"}, "rounds=auto: must be a number with clients=4"),
        ({"warmup_rounds": "auto"}, "warmup_rounds=auto: must be a number with clients=4"),
        ({"profile": "flamegraph"}, "profile=flamegraph: must be null with clients=4"),
        (
            {"through": "storage_manager", "concurrent": True},
            "concurrent=true: must be false with clients=4",
        ),
        (
            {"adapter": {"type": "fio", "base_path": "/a"}},
            "clients=4: must be 1 with adapter=fio, which runs a thread for each key in flight",
        ),
        (
            {"adapter": {"type": "raw_block", "device_path": "/dev/null", "capacity_bytes": 1 << 30}},
            "clients=4: must be 1 with adapter=raw_block: one process at a time can use its device or file",
        ),
        (
            {"adapter": {"type": "dax", "device_path": "/a", "max_dax_size_gb": 1, "slot_bytes": 4096}},
            "clients=4: must be 1 with adapter=dax: one process at a time can use its device or file",
        ),
        (
            {"adapter": {"type": "nixl_store", "backend": "POSIX"}},
            "clients=4: must be 1 with adapter=nixl_store, which keeps an index of all keys in its process",
        ),
    ],
)
def test_what_several_clients_cannot_have_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError) as refused:
        point(**{**CLIENTS, **changes})
    assert any(problem.startswith(named) for problem in refused.value.problems), refused.value.problems


def test_a_trace_has_one_client(tmp_path: Any) -> None:
    with pytest.raises(RequestError, match="workload=trace: must be rounds with clients=4"):
        point(**CLIENTS, workload="trace", trace=str(tmp_path / "none"))


@pytest.mark.parametrize("adapter", ["fs", "mock", "resp"])
def test_other_adapters_can_have_several(adapter: str) -> None:
    specs = {
        "fs": {"type": "fs", "base_path": "/a"},
        "mock": {"type": "mock", "max_size_gb": 4, "mock_bandwidth_gb": 100},
        "resp": {"type": "resp", "host": "h", "port": 1},
    }
    assert point(**CLIENTS, adapter=specs[adapter]).clients == 4
