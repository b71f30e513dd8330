"""The grid: every combination of values, except options whose values are paired."""

from __future__ import annotations

import pytest

from l2sweep.config.grid import grid, num_points
from l2sweep.errors import RequestError

AXES = {"a": ["a=1", "a=2"], "b": ["b=1", "b=2"], "c": ["c=1", "c=2"], "d": ["d=1"]}


def test_without_zip_every_combination_is_a_point() -> None:
    points = list(grid(AXES, []))
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


def test_zipped_values_of_one_option_can_be_the_same() -> None:
    axes = {"a": ["a=1", "a=1"], "b": ["b=1", "b=2"]}
    assert list(grid(axes, [["b", "a"]])) == [["a=1", "b=1"], ["a=1", "b=2"]]


@pytest.mark.parametrize("zipped", [[], [["a", "c"]], [["a", "b", "c"]], [["a", "b"]]])
def test_the_number_of_points_is_known_before_they_are_made(zipped: list[list[str]]) -> None:
    sizes = {name: len(values) for name, values in AXES.items()}
    assert num_points(sizes, zipped) == len(list(grid(AXES, zipped)))


def test_points_are_counted_without_being_made() -> None:
    assert num_points({"a": 10**9, "b": 10**9}, []) == 10**18


@pytest.mark.parametrize(
    ("zipped", "word"),
    [
        ([["a", "d"]], "d has 1 values"),
        ([["a", "x"]], "x has 0 values"),
        ([["a", "b"], ["b", "c"]], "b must not be given twice"),
        ([["a", "a"]], "a must not be given twice"),
    ],
)
def test_values_that_cannot_be_paired_are_named(zipped: list[list[str]], word: str) -> None:
    with pytest.raises(RequestError, match=word):
        num_points({name: len(values) for name, values in AXES.items()}, zipped)
