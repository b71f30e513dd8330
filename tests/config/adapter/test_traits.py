"""What is known of an adapter follows from its spec and one table."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.bench.job import PHASES
from l2sweep.config.adapter.kinds import ADAPTER_KINDS
from l2sweep.config.adapter.traits import AdapterTraits, local_paths, why_not_from_a_file


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"type": "fs", "base_path": "/a"}, "/a"),
        ({"type": "raw_block", "device_path": "/dev/x"}, "/dev/x"),
        ({"type": "fault_inject", "inner": {"type": "fs", "base_path": "/a"}}, "/a"),
        ({"type": "nixl_store", "backend": "POSIX", "backend_params": {"file_path": "/b"}}, "/b"),
        ({"type": "x", "outer": {"inner": {"type": "fs", "base_path": "/c"}}}, "/c"),
        ({"type": "resp", "host": "h", "inner": {"port": 1}}, None),
    ],
)
def test_the_storage_path_is_found_at_any_depth(spec: dict[str, Any], path: str | None) -> None:
    assert AdapterTraits.of(spec).storage_path == path


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({"type": "fs", "base_path": "/a"}, ("/a",)),
        ({"type": "fault_inject", "inner": {"type": "fs", "base_path": "/a"}}, ("/a",)),
        ({"type": "dax", "device_path": "/dev/shm/x"}, ()),  # it is memory: no page cache
        ({"type": "resp", "host": "h"}, ()),
        ({"type": "unknown", "base_path": "/a"}, ()),
    ],
)
def test_only_adapters_over_local_files_have_a_page_cache(
    spec: dict[str, Any], paths: tuple[str, ...]
) -> None:
    assert AdapterTraits.of(spec).cached_paths == paths


def test_the_user_can_say_where_the_data_are() -> None:
    traits = AdapterTraits.of({"type": "unknown"}, ["/mnt/a", "/mnt/b"])
    assert traits.cached_paths == ("/mnt/a", "/mnt/b")


@pytest.mark.parametrize(
    ("spec", "is_direct"),
    [
        ({"type": "fs", "base_path": "/a"}, False),
        ({"type": "fs", "base_path": "/a", "use_odirect": True}, True),
        ({"type": "raw_block", "device_path": "/d"}, True),
        ({"type": "raw_block", "device_path": "/d", "use_odirect": False}, False),
        ({"type": "nixl_store", "backend_params": {"use_direct_io": "true"}}, True),
        ({"type": "fault_inject", "inner": {"type": "raw_block", "device_path": "/d"}}, True),
    ],
)
def test_a_spec_asks_for_o_direct_by_a_field_or_by_its_type(spec: dict[str, Any], is_direct: bool) -> None:
    assert AdapterTraits.of(spec).asks_for_direct is is_direct


@pytest.mark.parametrize("name", ["raw_block", "dax"])
def test_an_adapter_that_overwrites_its_path_is_known_also_inside_another(name: str) -> None:
    spec = {"type": name, "device_path": "/d"}
    assert AdapterTraits.of(spec).overwritten_path == "/d"
    assert AdapterTraits.of({"type": "fault_inject", "inner": spec}).overwritten_path == "/d"
    assert AdapterTraits.of({"type": "fs", "base_path": "/a"}).overwritten_path is None


def test_the_control_is_known_by_its_module_also_inside_another_adapter() -> None:
    spec = {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "class_name": "ControlAdapter"}
    for given in (spec, {"type": "fault_inject", "inner": spec}):
        kind = AdapterTraits.of(given).kind
        assert kind == ADAPTER_KINDS["control"]
        assert kind.keeps_data_in_process
        assert "memory of its process" in kind.lost_because
    assert AdapterTraits.of({**spec, "module_path": "mine"}).kind == ADAPTER_KINDS["plugin"]


def test_each_type_has_its_phases() -> None:
    assert ADAPTER_KINDS["fio"].phases == ("store", "load")
    assert AdapterTraits.of({"type": "unknown"}).kind.phases == PHASES


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "fs", "base_path": "/a"},
        {"type": "resp", "host": "h", "port": 1, "password": "***"},
        {"type": "fault_inject", "rate": 0.1, "inner": {"type": "fs_native", "base_path": "/a"}},
        {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "class_name": "ControlAdapter"},
    ],
)
def test_a_spec_that_holds_only_data_may_come_from_a_file(spec: dict[str, Any]) -> None:
    assert why_not_from_a_file(spec) == ""


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({}, "it has no type"),
        ({"type": "plugin", "module_path": "evil", "class_name": "E"}, "its adapter may run code: plugin"),
        (
            {"type": "native_plugin", "module_path": "l2sweep.bench.control.adapter"},
            "may run code: native_plugin",
        ),
        ({"type": "nixl_store", "backend": "POSIX"}, "may run code: nixl_store"),
        ({"type": "no_such_type"}, "may run code: no_such_type"),
        ({"type": ["fs"]}, "may run code"),
        (
            {"type": "fault_inject", "inner": {"type": "plugin", "module_path": "evil"}},
            "may run code: plugin",
        ),
        ({"type": "fs", "x": {"y": {"type": "plugin"}}}, "may run code: plugin"),
        ({"type": "raw_block", "device_path": "/dev/sda"}, "overwrites a device or file: raw_block"),
        ({"type": "fs", "serde": "evil"}, "it contains serde"),
        ({"type": "resp", "host": "evil", "password": "${secret_file:/etc/shadow}"}, "refers to a secret"),
    ],
)
def test_a_spec_that_could_do_more_may_not_come_from_a_file(spec: dict[str, Any], reason: str) -> None:
    assert reason in why_not_from_a_file(spec)


def test_every_local_path_of_a_spec_is_found() -> None:
    inner = {"type": "nixl_store", "backend_params": {"file_path": "/b"}}
    assert local_paths({"type": "x", "base_path": "/a", "inner": inner}) == ["/a", "/b"]
