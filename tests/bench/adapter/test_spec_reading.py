"""The fields of a spec that LMCache's own configuration classes do not read."""

from __future__ import annotations

from typing import Any

import pytest
from lmcache.v1.distributed.l2_adapters import config, fs_l2_adapter, plugin_l2_adapter  # noqa: F401

from l2sweep.bench.adapter import spec_reading
from l2sweep.bench.adapter.spec_reading import unread_fields

FS = {"type": "fs", "base_path": "kv"}
PLUGIN = {"type": "plugin", "module_path": "m", "class_name": "C"}


@pytest.mark.parametrize(
    ("spec", "unread"),
    [
        (FS, []),
        ({**FS, "use_odirect": True, "read_ahead_size": 4096, "relative_tmp_dir": "tmp"}, []),
        ({**FS, "bas_path": "x"}, ["bas_path"]),
        ({**FS, "two": 2, "one": {"base_path": "x"}}, ["two", "one"]),
        ({**FS, "affinity_tag": "a", "shared": True, "persist_enabled": False, "eviction": {}}, []),
        ({"type": "fault_inject", "inner": FS, "rate": 0.5}, []),
        ({"type": "fault_inject", "inner": {**FS, "speed": 1}}, ["inner.speed"]),
        ({"type": "fault_inject", "inner": {**FS, "speed": 1}, "spede": 2}, ["inner.speed", "spede"]),
        ({**PLUGIN, "adapter_params": {"any": {"thing": 1}}}, []),
    ],
    ids=str,
)
def test_fields_that_are_not_read_are_found(spec: dict[str, Any], unread: list[str]) -> None:
    assert unread_fields(spec) == unread


def test_the_spec_is_not_changed() -> None:
    spec = {"type": "fault_inject", "inner": dict(FS)}
    unread_fields(spec)
    assert spec == {"type": "fault_inject", "inner": FS}


class _Probe:
    """A configuration class that reads a spec in one of many ways."""

    def __init__(self, read: Any) -> None:
        self.from_dict = read


READS = {
    "subscript": lambda spec: spec["field"],
    "get": lambda spec: spec.get("field"),
    "in": lambda spec: "field" in spec,
    "pop": lambda spec: spec.pop("field"),
    "pop with default": lambda spec: spec.pop("field", None),
    "iteration": lambda spec: [name for name in spec],  # noqa: C416 - list() would call another method
    "items": lambda spec: dict(spec.items()),
    "keys": lambda spec: list(spec.keys()),
    "values": lambda spec: list(spec.values()),
    "keyword arguments": lambda spec: dict(**spec),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_every_way_to_read_a_field_is_recorded(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec_reading, "get_l2_adapter_config_class", lambda _: _Probe(read))
    assert unread_fields({"type": "probe", "field": 1}) == []


def test_nothing_is_reported_if_the_class_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(spec: Any) -> None:
        raise TypeError("a plain mapping is needed")

    monkeypatch.setattr(spec_reading, "get_l2_adapter_config_class", lambda _: _Probe(fail))
    assert unread_fields({"type": "probe", "field": 1}) == []
