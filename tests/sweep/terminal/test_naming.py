"""The one-line description of a point."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shipped import point

from l2sweep.config.point import PointConfig
from l2sweep.sweep.terminal.naming import describe, varied_options

BASE = replace(point(), num_keys=4, in_flight=2, data_size_kb=64)


def with_overrides(*overrides: str, **changes: Any) -> PointConfig:
    return replace(BASE, overrides=overrides, **changes)


def test_a_point_is_described_by_its_type_and_sizes() -> None:
    described = describe(with_overrides("seed=1", adapter_spec={"type": "mock"}))
    assert described == "mock num_keys=4 in_flight=2 data_size_kb=64"


def test_varied_options_are_those_with_different_values() -> None:
    points = [with_overrides("seed=1", "rounds=3"), with_overrides("seed=2", "rounds=3")]
    assert varied_options(points) == {"seed"}
    assert varied_options(points[:1]) == frozenset()
    assert varied_options([]) == frozenset()


def test_options_that_every_description_contains_are_not_varied() -> None:
    names = ("adapter", "num_keys", "in_flight", "data_size_kb", "adapter_json")
    points = [with_overrides(*(f"{name}={value}" for name in names)) for value in (1, 2)]
    assert varied_options(points) == frozenset()


def test_varied_options_are_appended_without_a_plus() -> None:
    points = [with_overrides("+adapter.threads=1", "seed=1"), with_overrides("+adapter.threads=2", "seed=1")]
    varied = varied_options(points)
    assert describe(points[1], varied) == "fs num_keys=4 in_flight=2 data_size_kb=64 adapter.threads=2"


def test_credentials_are_replaced() -> None:
    points = [with_overrides(f"+adapter.password={password}") for password in ("first", "second")]
    assert describe(points[0], varied_options(points)).endswith(" adapter.password=***")


def test_the_control_adapter_has_its_own_name() -> None:
    spec = {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "class_name": "ControlAdapter"}
    assert describe(point(adapter=spec)).startswith("control num_keys=")
    assert describe(point(adapter={**spec, "module_path": "mine"})).startswith("plugin num_keys=")
