"""The grid of a sweep: every combination of values, except options whose values are paired."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from l2sweep.errors import RequestError


def num_points(sizes: Mapping[str, int], zipped: Sequence[Sequence[str]]) -> int:
    """Return how many points a grid has, without making one.

    Args:
        sizes: From an option to the number of its values.
        zipped: Groups of options that are paired: their first values make a point, and so on.

    Raises:
        RequestError: A zipped option is not swept over, is given twice, or does not have as many values as
            the others of its group.
    """
    problems: list[str] = []
    for group in zipped:
        lengths = {name: sizes.get(name, 0) for name in group}
        shown = ", ".join(f"{name} has {length} values" for name, length in lengths.items())
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            problems.append(f"zip: [{', '.join(group)}] must have the same number of values: {shown}")
    named = Counter(name for group in zipped for name in group)
    problems += [f"zip: {name} must not be given twice" for name, times in named.items() if times > 1]
    if problems:
        raise RequestError(problems)
    return math.prod(sizes[column[0]] for column in _columns(sizes, zipped))


def grid(axes: Mapping[str, Sequence[str]], zipped: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """Yield the overrides of every point.

    Args:
        axes: From an option to its values, each given as an override.
        zipped: As for :func:`num_points`, which checks them.
    """
    columns = [list(zip(*(axes[name] for name in column), strict=True)) for column in _columns(axes, zipped)]
    for point in itertools.product(*columns):
        yield [text for part in point for text in part]


def _columns(names: Mapping[str, object], zipped: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the options in their order, those of a group together where the first of them is."""
    group_of = {name: tuple(group) for group in zipped for name in group}
    columns: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        columns.setdefault(group_of.get(name, (name,)), []).append(name)
    return list(columns.values())
