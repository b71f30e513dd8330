"""The grid: every combination of values, except options whose values are paired."""

from __future__ import annotations

import pytest

from l2sweep.config.grid import grid
from l2sweep.errors import RequestError

AXES = {"a": ["a=1", "a=2"], "b": ["b=1", "b=2"], "c": ["c=1", "c=2"], "d": ["d=1"]}


def test_without_zip_every_combination_is_a_point() -> None:
    points = grid(AXES, [])
    assert len(points) == 8
    assert points[0] == ["a=1", "b=1", "c=1", "d=1"]
    assert points[-1] == ["a=2", "b=2", "c=2", "d=1"]


def test_zipped_options_are_paired_and_the_others_combined() -> None:
    points = [sorted(point) for point in grid(AXES, [["a", "c"]])]
    assert points == [
        ["a=1", "b=1", "c=1", "d=1"],
        ["a=1", "b=2", "c=1", "d=1"],
        ["a=2", "b=1", "c=2", "d=1"],
        ["a=2", "b=2", "c=2", "d=1"],
    ]


@pytest.mark.parametrize(
    ("zipped", "word"),
    [
        ([["a", "d"]], "d has 1 values"),
        ([["a", "x"]], "x has 0 values"),
        ([["a", "b"], ["b", "c"]], "two groups"),
    ],
)
def test_values_that_cannot_be_paired_are_named(zipped: list[list[str]], word: str) -> None:
    with pytest.raises(RequestError, match=word):
        grid(AXES, zipped)
