"""The grid of a sweep: every combination of values, except options whose values are paired."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from l2sweep.errors import RequestError


def grid(axes: Mapping[str, Sequence[str]], zipped: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the overrides of every point.

    Args:
        axes: From an option to its values, each given as an override.
        zipped: Groups of options that are paired: their first values make a point, and so on.

    Raises:
        RequestError: A zipped option is not swept over, is in two groups, or does not have as many
            values as the others of its group.
    """
    problems: list[str] = []
    group_of: dict[str, Sequence[str]] = {}
    for group in zipped:
        lengths = {name: len(axes.get(name, ())) for name in group}
        shown = ", ".join(f"{name} has {length} values" for name, length in lengths.items())
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            problems.append(f"zip: [{', '.join(group)}] must have the same number of values: {shown}")
        problems += [f"zip: {name} must not be in two groups" for name in group if name in group_of]
        group_of.update(dict.fromkeys(group, group))
    if problems:
        raise RequestError(problems)
    columns: list[list[tuple[str, ...]]] = []
    for name in axes:
        group = group_of.get(name, (name,))
        if name == next(axis for axis in axes if axis in group):  # the first one adds the whole group
            columns.append(list(zip(*(axes[other] for other in axes if other in group), strict=True)))
    return [[text for part in point for text in part] for point in itertools.product(*columns)]
