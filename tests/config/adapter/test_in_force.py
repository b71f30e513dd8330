"""A field of a spec that has no effect on the path of a point is refused."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.config.adapter.in_force import path_problems

LRU = {"eviction_policy": "LRU"}
FP8 = {"type": "fp8"}


def problems(spec: dict[str, Any], through: str, serde_tolerance: float | None = None) -> list[str]:
    return path_problems(spec, through, serde_tolerance)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"serde": FP8}, "adapter.serde: must be left out"),
        ({"eviction": LRU}, "adapter.eviction: must be left out"),
        ({"shared": True}, "adapter.shared: must be left out"),
        ({"affinity_tag": "a"}, "adapter.affinity_tag: must be left out"),
        ({"persist_enabled": False}, "adapter.persist_enabled: must be left out"),
        ({"type": "fs_native", "max_capacity_gb": 1}, "adapter.max_capacity_gb: must be left out"),
        ({"type": "resp", "max_capacity_gb": 0.5}, "adapter.max_capacity_gb: must be left out"),
        ({"type": "fault_inject", "inner": {"type": "fs", "eviction": LRU}}, "adapter.inner.eviction"),
    ],
)
def test_what_only_the_storage_manager_applies_is_refused_with_an_adapter_alone(
    fields: dict[str, Any], named: str
) -> None:
    (problem,) = problems({"type": "fs", **fields}, "adapter")
    assert problem.startswith(named)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {
            "serde": None,
            "eviction": None,
            "shared": False,
            "affinity_tag": "_default",
            "persist_enabled": True,
        },
        {"type": "nixl_store_dynamic", "persist_enabled": False, "backend_params": {"max_capacity_gb": 1}},
        {"type": "fs_native", "max_capacity_gb": 0},
        {"type": "mock", "max_size_gb": 1},
    ],
)
def test_a_field_that_is_in_force_or_says_what_holds_anyway_is_accepted(fields: dict[str, Any]) -> None:
    assert problems({"type": "fs", **fields}, "adapter") == []
    assert problems({"type": "fs", **fields}, "storage_manager") == []


def test_the_storage_manager_applies_serde_and_eviction() -> None:
    assert problems({"type": "fs", "serde": FP8}, "storage_manager") == []
    assert problems({"type": "mock", "eviction": LRU}, "storage_manager") == []
    native = {"type": "fs_native", "max_capacity_gb": 1, "eviction": LRU}
    assert problems(native, "storage_manager") == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"affinity_tag": "a"}, "adapter.affinity_tag=a: must be _default"),
        ({"eviction": LRU}, "adapter.eviction: must be left out: the fs adapter"),
        ({"type": "fs_native", "eviction": LRU}, "adapter.eviction: needs adapter.max_capacity_gb"),
        ({"type": "fs_native", "max_capacity_gb": 1}, "adapter.max_capacity_gb: must be left out"),
        (
            {"type": "fs_native", "max_capacity_gb": 1, "eviction": {"eviction_policy": "noop"}},
            "adapter.max_capacity_gb: must be left out",
        ),
        (
            {"type": "fault_inject", "inner": {"type": "fs", "serde": FP8}},
            "adapter.inner.serde: must be left",
        ),
        ({"type": "fio"}, "through=storage_manager: must be adapter with adapter=fio"),
        ({"serde": {"type": "turboquant"}}, "adapter.serde.type=turboquant: needs a CUDA device"),
        ({"serde": {"type": "own"}}, "adapter.serde.type=own: l2sweep does not know its error"),
        ({"serde": {"type": "fp8", "fp8_dtype": "int4"}}, "adapter.serde.type=fp8: l2sweep does not know"),
    ],
)
def test_what_has_no_effect_with_the_storage_manager_is_refused_too(
    fields: dict[str, Any], named: str
) -> None:
    (problem,) = problems({"type": "fs", **fields}, "storage_manager")
    assert problem.startswith(named)


@pytest.mark.parametrize(
    ("spec", "through"),
    [
        ({"type": "fs"}, "adapter"),
        ({"type": "fs"}, "storage_manager"),
        ({"type": "fs", "serde": {"type": "aesgcm"}}, "storage_manager"),
    ],
)
def test_a_tolerance_without_a_serde_that_changes_numbers_is_refused(
    spec: dict[str, Any], through: str
) -> None:
    (problem,) = problems(spec, through, 0.1)
    assert problem.startswith("serde_tolerance=0.1: ")


def test_a_tolerance_stands_in_for_one_that_is_not_known() -> None:
    assert problems({"type": "fs", "serde": {"type": "own"}}, "storage_manager", 0.1) == []
