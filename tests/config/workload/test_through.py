"""What a point is driven through: its phases, its identity, and what cannot be combined."""

from __future__ import annotations

from typing import Any

import pytest
from shipped import point

from l2sweep.errors import RequestError

MANAGED = {"through": "storage_manager"}


def test_the_storage_manager_has_no_lookup_phase() -> None:
    assert point().phases == ("store", "lookup", "load")
    assert point(**MANAGED).phases == ("store", "load")
    assert point(**MANAGED, only="load").phases == ("load",)


def test_the_path_is_part_of_the_identity_only_where_it_is_not_the_adapter_alone() -> None:
    assert point(through="adapter").point_id == point().point_id
    assert point(**MANAGED).point_id != point().point_id
    fp8 = {"adapter": {"type": "fs", "base_path": "kv", "serde": {"type": "fp8"}}, **MANAGED}
    assert point(**fp8).point_id != point(**fp8, serde_tolerance=0.5).point_id
    assert point(**MANAGED).point_id != point(**MANAGED, concurrent=True).point_id


def test_a_phase_alone_does_not_look_for_the_keys_of_the_other_path() -> None:
    alone, managed = (point(only="store", **changes).job("label") for changes in ({}, MANAGED))
    assert alone.namespace != managed.namespace
    assert (alone.kv_rank, managed.kv_rank) == (None, 1)


def test_stores_and_loads_at_the_same_time_are_reported_behind_the_phases() -> None:
    mixed = point(**MANAGED, concurrent=True)
    assert mixed.phases == mixed.job("label").phases == ("store", "load")
    assert mixed.reported_phases == ("store", "load", "mixed_store", "mixed_load")
    assert point(**MANAGED).reported_phases == ("store", "load")
    alone = point(concurrent=True)
    assert alone.reported_phases == ("store", "lookup", "load", "mixed_store", "mixed_load")
    assert alone.point_id not in (mixed.point_id, point().point_id)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"adapter": {"type": "fio", "base_path": "kv"}, "through": "adapter"},
            "concurrent=true: must be false with adapter=fio",
        ),
        ({"only": "load"}, "concurrent=true: must be false with only=load"),
        ({"rounds": "auto"}, "rounds=auto: must be a number with concurrent=true"),
        ({"warmup_rounds": "auto"}, "warmup_rounds=auto: must be a number with concurrent=true"),
    ],
)
def test_what_cannot_run_at_the_same_time_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError) as refused:
        point(**{**MANAGED, "concurrent": True, **changes})
    assert [problem[: len(named)] for problem in refused.value.problems] == [named]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"only": "lookup"}, "only=lookup: must be store or load"),
        ({"in_flight": 257}, "in_flight=257: must be at most 256"),
        ({"l1_align_bytes": 3 * 1024}, "l1_align_bytes=3072: must be a power of two"),
        ({"l1_use_hugepages": True}, "l1_use_hugepages=true: must be false"),
    ],
)
def test_what_the_storage_manager_cannot_run_is_refused(changes: dict[str, Any], named: str) -> None:
    options = {"data_size_kb": 768, **changes}
    assert point(**options)
    with pytest.raises(RequestError) as refused:
        point(**options, **MANAGED)
    assert [problem[: len(named)] for problem in refused.value.problems] == [named]
