"""Several L2 adapters behind one storage manager: what they are, and what cannot be combined."""

from __future__ import annotations

from typing import Any

import pytest
from shipped import point

from l2sweep.bench.job import adapter_types, local_paths, specs_of
from l2sweep.errors import RequestError

MANAGED = {"through": "storage_manager"}
FS = {"type": "fs", "base_path": "a"}
B = {"type": "fs_native", "base_path": "b", "num_workers": 4}
FP8 = {"type": "fp8"}


def test_the_adapters_keep_their_order_and_are_part_of_the_identity() -> None:
    one = point(adapter=FS, **MANAGED)
    two = point(adapter=FS, more_adapters=[B, {"type": "mock"}], **MANAGED)
    assert specs_of(two.adapter_spec) == [FS, B, {"type": "mock"}]
    assert specs_of(one.adapter_spec) == [FS]
    assert adapter_types(two.adapter_spec) == ["fs", "fs_native", "mock"]
    assert local_paths(two.adapter_spec) == ["a", "b"]
    assert two.point_id != one.point_id == point(adapter=FS, more_adapters=[], **MANAGED).point_id
    assert two.point_id != point(adapter=FS, more_adapters=[{"type": "mock"}, B], **MANAGED).point_id


def test_a_password_of_a_further_adapter_is_no_part_of_the_identity() -> None:
    first, second = (
        point(adapter=FS, more_adapters=[{"type": "resp", "host": "h", "password": one}], **MANAGED)
        for one in ("p1", "p2")
    )
    assert first.point_id == second.point_id
    assert "p1" not in str(first.spec_identity)


def test_what_holds_for_one_adapter_holds_for_the_point() -> None:
    traits = point(adapter=FS, more_adapters=[B], **MANAGED).traits
    assert traits.cached_paths == ("a", "b")
    assert [one.storage_path for one in traits.every] == ["a", "b"]
    assert not traits.kind.lost_because
    in_memory = point(adapter=FS, more_adapters=[{"type": "mock"}], **MANAGED).traits
    assert in_memory.kind.lost_because
    assert in_memory.kind.keeps_data_in_process


@pytest.mark.parametrize(
    ("more", "changes", "named"),
    [
        ([B], {"through": "adapter"}, "more_adapters: needs through=storage_manager"),
        ("fs", {}, "more_adapters=fs: must be a list"),
        ([{"base_path": "b"}], {}, "more_adapters={'base_path': 'b'}: must be a mapping with the type"),
        ([["fs"]], {}, "more_adapters=['fs']: must be a mapping"),
        ([{**B, "base_path": "a"}], {}, "more_adapters.2: must not share the place a with adapter 1"),
        ([B, B], {}, "more_adapters.3: must not share the place b with adapter 2"),
        ([{"type": "mock"}, {"type": "mock"}], {}, "more_adapters.3: must not share everything"),
        ([{**B, "serde": FP8}], {}, "more_adapters.2.serde: must be left out"),
        ([B], {"adapter": {**FS, "serde": FP8}}, "adapter.serde: must be left out with more_adapters"),
        ([{**B, "max_capacity_gb": 1}], {}, "more_adapters.2.max_capacity_gb: must be left out"),
        ([{"type": "raw_block", "device_path": "/dev/x"}], {}, "more_adapters.2.type=raw_block: must be"),
        ([{"type": "fio"}], {}, "more_adapters.2.type=fio: must be the type of the first adapter only"),
        ([{**B, "base_path": "???"}], {}, "adapter.more_adapters.2.base_path: no value given"),
        ([{"type": "mock", "size": n} for n in range(8)], {}, "more_adapters: must be at most 7 adapters"),
        ([B], {"adapter": {**FS, "more_adapters": {"2": B}}}, "adapter.more_adapters: must be given as"),
    ],
)
def test_what_several_adapters_cannot_be_is_refused(more: Any, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestError) as refused:
        point(**{"adapter": FS, **MANAGED, "more_adapters": more, **changes})
    assert [problem[: len(named)] for problem in refused.value.problems] == [named]
