"""As many digits as the spread supports."""

from __future__ import annotations

import math

import pytest

from l2sweep.sweep.terminal.results.digits import at_place, place_of, rounded


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (2147.3, 691.2, 4281.9, "2100"),  # half the spread is 1795
        (2147.3, 1500.0, 2700.0, "2100"),  # 600
        (282.46, 280.1, 284.9, "282.5"),  # 2.4
        (282.46, 277.0, 287.0, "282"),  # 5
        (7.2345, 7.1, 7.3, "7.23"),  # 0.1
        (0.001234, 0.0012, 0.0013, "0.00123"),
        (5.0, 1.0, 99.0, "5"),  # at least one digit
        (123456.0, 123455.9, 123456.1, "123500"),  # at most four
        (500.0, 500.0, 500.0, "500.0"),
        (999.6, 996.0, 1003.0, "1000"),
    ],
)
def test_the_last_digit_is_that_of_the_spread(value: float, low: float, high: float, text: str) -> None:
    assert rounded(value, low, high) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(11823.8, "11800"), (281.64, "282"), (0.0, "0.00"), (0.012345, "0.0123"), (1.0, "1.00")],
)
def test_a_number_without_a_spread_has_three_digits(value: float, text: str) -> None:
    assert rounded(value) == text


def test_a_number_that_does_not_exist_is_a_dash() -> None:
    assert rounded(None) == rounded(math.nan) == "-"


def test_a_number_that_is_not_0_is_never_shown_as_0() -> None:
    # The fastest of three processes took 3 ms, the slowest 70 ms.
    assert at_place(3.1, place_of(40, 3.1, 70)) == "3"
    assert at_place(0.0, 1) == "0"
