"""What the user says of a plugin, and what cannot be said of an adapter that l2sweep knows."""

from __future__ import annotations

from typing import Any

import pytest
from shipped import configuration

from l2sweep.config.point import PointConfig
from l2sweep.config.reading import read_point
from l2sweep.errors import RequestError
from l2sweep.sweep.checks.feasibility import why_infeasible

PLUGIN = {"type": "plugin", "module_path": "m", "class_name": "C", "adapter_params": {"base_path": "/kv"}}
RAW_BLOCK = {"type": "raw_block", "device_path": "/dev/fake", "slot_bytes": 1 << 20}


def point_with(spec: dict[str, Any], traits: dict[str, Any], **changes: Any) -> PointConfig:
    config = configuration(adapter=spec, **changes)
    config["adapter_traits"] |= traits
    return read_point(config, [], {})


def problems_of(spec: dict[str, Any], traits: dict[str, Any], **changes: Any) -> list[str]:
    with pytest.raises(RequestError) as refused:
        point_with(spec, traits, **changes)
    return refused.value.problems


def test_a_plugin_is_what_the_user_says() -> None:
    assert point_with(PLUGIN, {}).traits.cached_paths == ("/kv",)
    said = {"has_page_cache": False, "survives": False, "lookup_answered_by": "index", "is_destructive": True}
    traits = point_with(PLUGIN, said).traits
    assert traits.cached_paths == ()
    assert not traits.kind.survives
    assert not traits.kind.is_local
    assert traits.overwritten_path == "/kv"
    assert traits.lookup_answered_by(stored_here=True, finds_keys=True) == "index"


def test_what_is_said_of_an_adapter_changes_no_identity() -> None:
    said = point_with(PLUGIN, {"lookup_answered_by": "index", "capacity_keys": 5})
    assert said.point_id == point_with(PLUGIN, {}).point_id


def test_a_point_over_the_capacity_that_the_user_gives_is_skipped() -> None:
    stored = {"num_keys": 4, "rounds": 2, "warmup_rounds": 0, "data_size_kb": 64}
    assert why_infeasible(point_with(PLUGIN, {"capacity_keys": 8}, **stored)) == ""
    over = point_with(PLUGIN, {"capacity_keys": 7}, **stored)
    assert why_infeasible(over) == "stores 8 keys of 64 KiB, 7 fit into plugin"
    assert why_infeasible(point_with(PLUGIN, {"capacity_keys": 7}, **stored, only="load")) == ""


@pytest.mark.parametrize(
    ("traits", "words"),
    [
        ({"lookup_answered_by": "magic"}, ["lookup_answered_by=magic", "server, client_cache, index"]),
        ({"capacity_keys": 0}, ["capacity_keys=0", "an integer from 1"]),
        ({"survives": "maybe"}, ["survives=maybe", "true or false"]),
        (
            {"surives": True},
            ["adapter_traits.surives: no such option", "did you mean adapter_traits.survives"],
        ),
    ],
)
def test_a_wrong_trait_is_one_line_that_names_it(traits: dict[str, Any], words: list[str]) -> None:
    (problem,) = problems_of(PLUGIN, traits)
    assert "\n" not in problem
    for word in words:
        assert word in problem


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "fs", "base_path": "/a"},
        {"type": "fault_inject", "inner": {"type": "fs", "base_path": "/a"}},
        {"type": "plugin", "module_path": "l2sweep.bench.control.adapter", "class_name": "ControlAdapter"},
    ],
)
def test_the_traits_of_a_known_type_cannot_be_changed(spec: dict[str, Any]) -> None:
    (problem,) = problems_of(spec, {"survives": False, "capacity_keys": 3})
    assert "adapter_traits.survives=false: must be null with adapter=" in problem
    assert "plugin, native_plugin" in problem


def test_a_type_that_is_not_known_can_be_described() -> None:
    spec = {"type": "brand_new", "base_path": "/a"}
    assert point_with(spec, {}).traits.cached_paths == ()
    assert point_with(spec, {"has_page_cache": True}).traits.cached_paths == ("/a",)


@pytest.mark.parametrize(
    ("spec", "traits", "align_bytes", "needed"),
    [
        (RAW_BLOCK, {}, 1024, 4096),
        ({**RAW_BLOCK, "block_align": 8192}, {}, 4096, 8192),
        ({"type": "fault_inject", "inner": RAW_BLOCK}, {}, 512, 4096),
        (PLUGIN, {"alignment_bytes": 16384}, 4096, 16384),
    ],
)
def test_buffers_that_are_not_aligned_enough_are_refused(
    spec: dict[str, Any], traits: dict[str, Any], align_bytes: int, needed: int
) -> None:
    (problem,) = problems_of(spec, traits, l1_align_bytes=align_bytes)
    assert problem.startswith(f"l1_align_bytes={align_bytes}: must be a multiple of {needed} with adapter=")
    assert point_with(spec, traits, l1_align_bytes=needed).l1_align_bytes == needed


def test_without_o_direct_any_alignment_will_do() -> None:
    assert point_with({**RAW_BLOCK, "use_odirect": False}, {}, l1_align_bytes=1).l1_align_bytes == 1
