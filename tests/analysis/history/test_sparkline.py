"""Tests of l2sweep.analysis.history.sparkline."""

from __future__ import annotations

import pytest

from l2sweep.analysis.history.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 4.0], "▁▅█"),
        ([1.0, None, 4.0], "▁ █"),
        ([1.0, 1.02, 0.99], "▄▅▄"),  # noise looks small
        ([None, None], "  "),
        ([], ""),
    ],
)
def test_values_become_blocks(values: list[float | None], expected: str) -> None:
    assert sparkline(values, 10) == expected


def test_only_the_last_values_are_shown() -> None:
    assert sparkline([9.0, 1.0, 4.0], 2) == "▁█"


def test_digits_replace_blocks() -> None:
    assert sparkline([1.0, 2.0, 4.0], 10, is_ascii=True) == "158"
