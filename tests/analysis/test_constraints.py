"""Conditions on a point: evaluated without eval(), everything else refused."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sweep.analysis import constraints
from l2sweep.analysis.constraints import Constraint

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
        (" num_keys == 32 ", True),
        ("only == None", True),
        ("'num_workers' in adapter", True),
        ("'f' in adapter.type", True),
        ("10**30 == 1000000 ** 5", True),
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
        "1 << 10**9",
        "[x for x in range(10**9)]",
        "f'{num_keys:1000000000}'",
        "{1: 2}",
        "num_keys[0]",
        "(yield)",
        "1j > 0",
        "b'a' == 'a'",
        "... == 1",
        "num_keys\0",
        "\ud800",
    ],
)
def test_any_other_expression_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="allowed are numbers"):
        Constraint.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("9" * 5000, "at most 2000 characters, and not 5000"),
        ("-" * 5000 + "1", "at most 2000 characters"),
        ("-" * 1500 + "1", "nested at most 40 levels"),
        ("(" * 150 + "-" * 1500 + "1" + ")" * 150, "nested at most 40 levels"),
        ("num_keys" + ".x" * 900, "nested at most 40 levels"),
        ("[" + "1," * 900 + "]", "at most 400 operators, names and values"),
        ("1 < 1e999", "a number must be from"),
        ("1 < " + "9" * 40, "a number must be from"),
    ],
)
def test_a_condition_that_is_too_large_is_refused_before_it_is_evaluated(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Constraint.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nothing > 1", "a point has no field nothing"),
        ("num_kesy > 1", "did you mean num_keys"),
        ("adapter.nothing > 1", "adapter has no field nothing"),
        ("num_keys.real > 1", "num_keys is a number and has no field real"),
        ("num_keys / 0 > 1", "division by zero"),
        ("num_keys % (in_flight - 4) > 1", "num_keys % \\(in_flight - 4\\): division by zero"),
        ("0 ** -1 > 1", "division by zero"),
        ("only > 1", "needs numbers"),
        ("adapter.type < 'g'", "needs numbers"),
        ("2**10**9 > 1", "an exponent must be at most 64"),
        ("9**9**9 > 1", "an exponent must be at most 64"),
        ("((10**30)**64)**64 > 1", "above 1e[+]30"),
        ("10**30 * 10 > 1", "above 1e[+]30"),
        ("1e29 ** 60 > 1", "above 1e[+]30"),
        ("(-8) ** 0.5 > 1", "not a number"),
        ("'a' * 10**9 == 'b'", "needs numbers"),
        ("[1] * 10**9 == 1", "needs numbers"),
        ("'%1000000000d' % 1 == 'a'", "needs numbers"),
        ("'a' + 'b' == 'ab'", "needs numbers"),
        ("(num_keys == 32) + 1 == 2", "needs numbers"),
        ("-'a' == 1", "needs numbers"),
        ("num_keys in only", "a number cannot be in null"),
        ("num_keys in 'abc'", "a number cannot be in a text"),
    ],
)
def test_a_condition_without_a_value_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        Constraint.parse(text).holds(FIELDS)
    assert str(refused.value).startswith(f"'{text}': ")


ATOMS = st.one_of(
    st.sampled_from(["num_keys", "in_flight", "only", "adapter", "adapter.type", "nothing", "'a'", "None"]),
    st.integers(min_value=-(10**40), max_value=10**40).map(str),
    st.floats().map(repr),
    st.text(max_size=5).map(repr),
)
OPERATORS = [
    *("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"),
    *("<<", "@", "if", ",", ":", ":=", ".", "is"),
]


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(lambda parts: "({} {} {})".format(*parts)),
        st.tuples(st.sampled_from(["-", "+", "not ", "~", "*", "lambda: "]), inner).map("".join),
        st.tuples(inner, st.integers(1, 3000)).map(lambda parts: "-" * parts[1] + parts[0]),
        st.tuples(inner, st.integers(1, 300)).map(lambda parts: "(" * parts[1] + parts[0] + ")" * parts[1]),
        st.tuples(inner, st.integers(1, 600)).map(lambda parts: "**".join([parts[0]] * parts[1])),
        st.lists(inner, max_size=4).map(lambda parts: "[" + ", ".join(parts) + "]"),
        inner.map(lambda part: f"f'{{{part}:9999999}}'"),
        inner.map(lambda part: f"{part}({part})"),
    )


@settings(derandomize=True, database=None, deadline=None, max_examples=200)
@given(st.one_of(st.recursive(ATOMS, larger, max_leaves=12), st.text(max_size=60)))
def test_any_text_is_a_condition_or_is_refused_after_a_bounded_number_of_operations(text: str) -> None:
    evaluated = 0
    original = constraints._evaluate

    def counted(node: ast.expr, fields: Mapping[str, Any]) -> Any:
        nonlocal evaluated
        evaluated += 1
        value = original(node, fields)
        assert not isinstance(value, int | float) or abs(value) <= 10**30
        assert not isinstance(value, str | list) or len(value) <= len(text) + 2
        return value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constraints, "_evaluate", counted)
        refused: list[ValueError] = []
        try:
            assert Constraint.parse(text).holds(FIELDS) in (True, False)
        except ValueError as error:
            refused.append(error)
    assert all(type(error) is ValueError and len(str(error)) < 5000 for error in refused)
    assert evaluated <= 400
