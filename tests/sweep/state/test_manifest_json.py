"""Whatever a manifest contains, it is read or refused with one reason."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sweep.sweep.state.manifest_json import checked_fields

POINT = {"index": 0, "repeat": 0, "point_id": "0" * 16, "overrides": ["num_keys=2"]}
SKIPPED = {"point_id": "1" * 16, "overrides": [], "reason": "too large", "as_asked": False}
WHOLE: dict[str, Any] = {
    "sweep_id": "mine",
    "arguments": ["num_keys=2"],
    "zip": [["num_keys", "in_flight"]],
    "points": [POINT],
    "skipped": [SKIPPED],
}


def read(values: object) -> dict[str, Any]:
    return checked_fields(json.dumps(values).encode())


def test_a_whole_manifest_is_returned_unchanged() -> None:
    assert read(WHOLE) == WHOLE


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sweep_id": "../other"}, "sweep_id: "),
        ({"arguments": "num_keys=2"}, "arguments: "),
        ({"zip": [["a"], 1]}, "zip.1: "),
        ({"points": [{**POINT, "index": "0"}]}, "points.0.index: "),
        ({"points": [{**POINT, "index": -1}]}, "points.0.index: "),
        ({"points": [POINT, {}]}, "points.1.index: "),
        ({"skipped": [{**SKIPPED, "reason": None}]}, "skipped.0.reason: "),
        ({"python": "/tmp/evil"}, "python: "),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}") as refused:
        read({**WHOLE, **change})
    assert "\n" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.builds(lambda value: json.dumps(value).encode(), JSON))
def test_random_content_is_refused_with_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        checked_fields(content)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), JSON)
def test_a_random_field_is_read_or_refused_with_a_value_error(name: str, value: object) -> None:
    with contextlib.suppress(ValueError):
        assert read({**WHOLE, name: value})["sweep_id"]
