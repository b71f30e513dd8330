"""The adapter types of the installed LMCache, and the fields that their configuration classes tell."""

from __future__ import annotations

from typing import Any

import pytest
from lmcache.v1.distributed.l2_adapters.config import get_l2_adapter_config_class

from l2sweep.bench.adapter.catalog import described, fields_of


def fields(name: str) -> dict[str, dict[str, Any]]:
    return {field["name"]: field for field in fields_of(get_l2_adapter_config_class(name))}


def test_the_fields_of_a_class_come_with_type_default_and_meaning() -> None:
    resp = fields("resp")
    assert list(resp) == ["host", "port", "num_workers", "username", "password", "max_capacity_gb"]
    assert resp["host"] == {
        "name": "host",
        "type": "str",
        "default": None,
        "is_required": True,
        "help": "Redis/Valkey server hostname or IP (required)",
    }
    assert (resp["num_workers"]["type"], resp["num_workers"]["default"]) == ("int", 8)
    assert not resp["num_workers"]["is_required"]


@pytest.mark.parametrize(
    ("name", "field", "expected"),
    [
        ("mock", "max_size_gb", ("float", None, True)),
        ("fs", "use_odirect", ("bool", False, False)),
        ("fault_inject", "inner", ("dict", None, True)),  # the constructor calls it inner_config
        ("raw_block", "meta_total_bytes", ("int", 256 << 20, False)),
        ("dax", "slot_bytes", ("int", None, True)),
        ("dax", "device_path", ("str", None, False)),  # or devices
        ("native_plugin", "module_path", ("str", None, True)),
        ("valkey", "num_workers", ("int", 8, False)),
    ],
)
def test_a_field_is_what_help_and_constructor_say(name: str, field: str, expected: tuple[Any, ...]) -> None:
    found = fields(name)[field]
    assert (found["type"], found["default"], found["is_required"]) == expected


def test_variables_of_the_environment_and_examples_are_no_fields() -> None:
    assert not {name for name in fields("resp") if name.startswith("LMCACHE")}
    assert list(fields("plugin")) == ["module_path", "class_name", "adapter_params", "config_class_name"]
    assert "Example" not in fields("native_plugin")["adapter_params"]["help"]
    assert "max_capacity_gb" in fields("native_plugin")  # stands behind the example


def test_a_missing_module_is_named_and_not_that_of_another_adapter() -> None:
    needed = {
        "fs": (),
        "mock": ("no_such_package.inside", "json"),
        "aerospike": ("lmcache.lmcache_aerospike",),
    }
    found = {one.adapter_type: one for one in described(needed, and_others=False)}
    assert list(found) == ["aerospike", "fs", "mock"]
    assert (found["fs"].problem, found["fs"].missing_module) == ("", "")
    assert found["mock"].missing_module == "no_such_package.inside"
    assert found["mock"].fields  # its configuration class can be imported all the same
    assert found["aerospike"].problem == "No module named 'lmcache.lmcache_aerospike'"


def test_a_type_that_lmcache_does_not_have_is_not_described() -> None:
    assert list(described({"no_such_type": ()}, and_others=False)) == []
