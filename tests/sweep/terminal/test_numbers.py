"""The format of numbers."""

from __future__ import annotations

import pytest

from l2sweep.sweep.terminal.numbers import milliseconds, number


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(1.005, 1, "1.0"), (12.349, 2, "12.35"), (0.0, 3, "0.000"), (None, 3, "-")]
)
def test_a_number_has_a_fixed_count_of_decimal_places(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("seconds", "digits", "text"), [(0.0012345, 2, "1.23"), (0.0012345, 3, "1.234"), (None, 2, "-")]
)
def test_a_duration_is_shown_in_milliseconds(seconds: float | None, digits: int, text: str) -> None:
    assert milliseconds(seconds, digits) == text
