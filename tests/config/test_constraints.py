"""Conditions on a point: evaluated without eval(), everything else refused."""

from __future__ import annotations

from typing import Any

import pytest

from l2sweep.config.constraints import Constraint

FIELDS: dict[str, Any] = {
    "num_keys": 32,
    "in_flight": 4,
    "lookup_max_hit_rate": 0.5,
    "only": None,
    "adapter": {"type": "fs", "num_workers": 8},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("num_keys * in_flight <= 128", True),
        ("num_keys * in_flight < 128", False),
        ("num_keys // 5 == 6 and num_keys % 5 == 2", True),
        ("-num_keys + 2**5 == 0", True),
        ("not (in_flight > 4 or num_keys > 32)", True),
        ("1 < in_flight < 4", False),
        ("adapter.num_workers >= in_flight", True),
        ("adapter.type == 'fs'", True),
        ("adapter.type in ['mock', 'resp']", False),
        ("in_flight not in (1, 2)", True),
        ("num_keys / 64 == lookup_max_hit_rate", True),
    ],
)
def test_a_condition_is_evaluated_as_python_does(text: str, expected: bool) -> None:
    assert Constraint.parse(text).holds(FIELDS) is expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "num_keys.__class__()",
        "[x for x in (1, 2)]",
        "lambda: 1",
        "num_keys if in_flight else 1",
        "(num_keys := 3)",
        "f'{num_keys}'",
        "num_keys <",
        "",
        "num_keys; in_flight",
    ],
)
def test_any_other_expression_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed are numbers"):
        Constraint.parse(text)


@pytest.mark.parametrize(
    "text", ["nothing > 1", "adapter.nothing > 1", "num_keys / 0 > 1", "only > 1", "2**10**9 > 1"]
)
def test_an_error_names_the_condition(text: str) -> None:
    with pytest.raises(ValueError, match=text.split()[0].replace("*", r"\*")):
        Constraint.parse(text).holds(FIELDS)
