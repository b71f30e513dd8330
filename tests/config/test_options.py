"""An option is declared once: its check, its error message and its description follow."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic.dataclasses import dataclass

from l2sweep.config.options import (
    POINT,
    STRICT,
    Fraction,
    Seconds,
    checked,
    no_such_option,
    option,
    options_of,
)
from l2sweep.errors import RequestError


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Inner:
    limit_s: Seconds = option(5, "a limit", section=POINT, unit="s")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Outer:
    count: int = option(1, "a count", section=POINT, ge=1, le=9)
    share: Fraction = option(0.5, "a share", section=POINT)
    choice: Literal["a", "b"] | None = option(None, "a choice", section=POINT)
    label: str = option("x", "a label", section=POINT, allowed="a text")
    switch: bool = option(False, "a switch", section=POINT)
    inner: Inner = Inner()


GOOD: dict[str, Any] = {
    "count": 3,
    "share": 0.25,
    "choice": "a",
    "label": "x",
    "switch": True,
    "inner": {"limit_s": 1},
}


def problems(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(RequestError) as refused:
        checked(Outer, {**GOOD, **changes})
    return refused.value.problems


def test_right_values_make_an_instance() -> None:
    outer = checked(Outer, GOOD)
    assert (outer.count, outer.share, outer.choice, outer.inner.limit_s) == (3, 0.25, "a", 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"count": 0}, "count=0: must be an integer from 1 to 9"),
        ({"count": "3.0"}, "count=3.0: must be an integer from 1 to 9"),
        ({"count": True}, "count=true: must be an integer from 1 to 9"),
        ({"count": None}, "count=null: must be an integer from 1 to 9"),
        ({"share": 1.5}, "share=1.5: must be a number from 0 to 1"),
        ({"share": float("nan")}, "share=nan: must be a number from 0 to 1"),
        ({"choice": "c"}, "choice=c: must be one of a, b, or null"),
        ({"label": []}, "label=[]: must be a text"),
        ({"switch": 1}, "switch=1: must be true or false"),
        ({"inner": {"limit_s": 0}}, "inner.limit_s=0: must be a number above 0, at most 2000000"),
        ({"inner": 5}, "inner=5: must hold limit_s"),
        ({"inner": {"limit_s": 1, "limt_s": 2}}, "inner.limt_s: no such option; did you mean inner.limit_s?"),
        ({"cuont": 3}, "cuont: no such option; did you mean count?"),
    ],
)
def test_a_wrong_value_gets_one_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert problems(**changes) == (sentence,)


def test_all_wrong_values_are_reported_together() -> None:
    assert len(problems(count=0, share=2, inner={"limit_s": -1}, other=1)) == 4


def test_a_label_that_looks_like_a_number_is_a_text() -> None:
    assert checked(Outer, {**GOOD, "label": 2024}).label == "2024"


def test_the_declaration_describes_nested_options_by_dotted_names() -> None:
    described = {one.name: one for one in options_of(Outer)}
    assert list(described) == ["count", "share", "choice", "label", "switch", "inner.limit_s"]
    assert described["inner.limit_s"].unit == "s"
    assert described["count"].default == 1


def test_an_unknown_option_gets_a_suggestion_or_the_place_where_all_are_listed() -> None:
    known = ["num_keys", "in_flight"]
    assert no_such_option("in_fligth", known) == "in_fligth: no such option; did you mean in_flight?"
    assert no_such_option("zzz", known) == "zzz: no such option (--help-all lists them)"


def test_a_renamed_option_names_the_new_one() -> None:
    assert no_such_option("memory_limit_mb", []) == "memory_limit_mb: is now called memory_limit_mib"
