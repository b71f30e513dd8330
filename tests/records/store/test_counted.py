from __future__ import annotations

import json
from typing import Any

import pytest

from l2sweep.records.store.counted import Counted, CountedObject, from_json, is_key_of

ONE = CountedObject(7, 1_796_000_000_000_000_001, "0" * 64)
KEY = "rounds/mine/mine.00000.1.parquet"


def test_a_manifest_object_is_read_as_it_was_written() -> None:
    counted = Counted("mine", {KEY: ONE}, ["points/mine/mine.00000.1.parquet"])
    assert from_json("mine", counted.to_json()) == counted


def test_fields_of_a_later_release_are_ignored() -> None:
    values = json.loads(Counted("mine", {KEY: ONE}).to_json())
    values["more"] = 1
    values["objects"][KEY]["more"] = 1
    assert from_json("mine", json.dumps(values).encode()).objects == {KEY: ONE}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 3}, "later release"),
        ({"sweep_id": "other"}, "another sweep"),
        ({"objects": {KEY: {"num_bytes": -1, "modified_ns": 0, "sha256": "0" * 64}}}, "damaged"),
        ({"objects": []}, "damaged"),
        ({"objects": {"rounds/mine/../../../etc/passwd": vars(ONE)}}, "no object of this sweep"),
        ({"replaced": ["rounds/other/other.00000.1.parquet"]}, "no object of this sweep"),
    ],
)
def test_a_manifest_object_that_is_wrong_is_refused(change: dict[str, Any], reason: str) -> None:
    values = {**json.loads(Counted("mine", {KEY: ONE}).to_json()), **change}
    with pytest.raises(ValueError, match=reason):
        from_json("mine", json.dumps(values).encode())


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[" * 100_000, b"\xff"])
def test_what_is_no_manifest_object_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        from_json("mine", content)


@pytest.mark.parametrize(
    ("key", "is_own"),
    [
        (KEY, True),
        ("rounds/date=2026-11-30/mine/mine.parquet", True),
        ("sweeps/mine/point-00000.1.log", True),
        ("sweeps/mine", False),
        ("sweeps/other/mine", False),
        ("sweeps/mine/.ssh", False),
        ("/sweeps/mine/a", False),
        ("sweeps//mine/a", False),
        ("sweeps/mine/../other/a", False),
        ("scratch/mine/a", False),
        ("sweeps/mine/a\nb", False),
    ],
)
def test_a_key_is_below_the_folders_of_its_sweep(key: str, is_own: bool) -> None:
    assert is_key_of(key, "mine") is is_own
