"""Split the rows of sweeps by the values of a column, so that each value can be compared with the first."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from l2sweep.analysis.compare.rows.columns import Booleans, codes, combined, concatenated, integers
from l2sweep.analysis.rounds.source import is_known

_ATTEMPT = ("sweep_id", "point_index", "attempt")
_VERSION = re.compile(r"v?(?P<numbers>[0-9]+(\.[0-9]+)*)(?P<rest>.*)", re.DOTALL)
_BEFORE_RELEASE = ("a", "b", "rc", ".dev")


@dataclass(frozen=True)
class Part:
    """The rows with one value.

    Attributes:
        value: The value, as text.
        rounds: Its rows of ``rounds``.
        points: Its rows of ``points``.
    """

    value: str
    rounds: pa.Table
    points: pa.Table


def split(rounds: pa.Table, points: pa.Table, by: str) -> list[Part]:
    """Return the rows of each value of a column, the first value first.

    Numbers and versions are in their order, the smallest or oldest first; other values in that in which they
    were first measured. An attempt whose processes have no value is in no part.

    Args:
        rounds: Rows of ``rounds``.
        points: Rows of ``points`` of the same sweeps, with the column. The value of an attempt is that of its
            first process that has one: a process that ended early does not know its LMCache.
        by: Name of the column. A missing ``release`` is that of the installed LMCache, ``lmcache_version``.
    """
    both = concatenated([rounds, points], _ATTEMPT)
    key = combined(codes(both, _ATTEMPT[0])[0], *(integers(both, name) for name in _ATTEMPT[1:]))
    _, attempt = np.unique(key, return_inverse=True)
    of_rounds, of_points = np.split(attempt.reshape(-1), [len(rounds)])
    names = [by, *(["lmcache_version"] if by == "release" else [])]
    columns = [points.column(name).to_pylist() for name in names]
    began = points.column("started_at").to_pylist()
    values: dict[int, Any] = {}
    first_began: dict[str, Any] = {}
    for row, owner in enumerate(of_points.tolist()):
        known = next((column[row] for column in columns if is_known(column[row])), None)
        if known is not None:
            value = values.setdefault(owner, known)
            earliest = first_began.get(str(value))
            if earliest is None or (began[row] is not None and began[row] < earliest):
                first_began[str(value)] = began[row]
    ordered = in_order(list(dict.fromkeys(values.values())), first_began)
    number = {value: position for position, value in enumerate(ordered)}
    code = np.full(int(attempt.max(initial=-1)) + 1, -1, dtype=np.int64)
    for owner, value in values.items():
        code[owner] = number[value]
    return [
        Part(str(value), _where(rounds, code[of_rounds] == one), _where(points, code[of_points] == one))
        for value, one in number.items()
    ]


def in_order(values: Sequence[Any], first_began: Mapping[str, Any]) -> list[Any]:
    """Return values in the order in which they are compared.

    Args:
        values: Different values of a column.
        first_began: When each was first measured, by its text.
    """
    if all(isinstance(value, (int, float)) for value in values):
        return sorted(values)
    if all(isinstance(value, str) and _VERSION.fullmatch(value) for value in values):
        return sorted(values, key=_version)
    return sorted(values, key=lambda value: (first_began[str(value)] is None, first_began[str(value)]))


def mixed_releases(rounds: pa.Table) -> list[str]:
    """Return the releases that a sweep was asked for, if it measured a point with several; else nothing.

    Args:
        rounds: Rows of ``rounds``; those of versions of the records without ``release`` have none.
    """
    if "release" not in rounds.column_names or not len(rounds):
        return []
    release, releases = codes(rounds, "release")
    if (release == release[0]).all():
        return []
    point = combined(codes(rounds, "sweep_id")[0], codes(rounds, "point_id")[0])
    pairs = np.unique(np.stack([point, release]), axis=1)
    _, counts = np.unique(pairs[0], return_counts=True)
    if (counts < 2).all():
        return []
    return sorted(str(releases[one] or "the installed one") for one in np.unique(release))


def _where(table: pa.Table, kept: Booleans) -> pa.Table:
    return table.filter(pa.array(kept.tolist(), pa.bool_()))


def _version(text: str) -> tuple[Any, ...]:
    """Return a key that puts a release candidate before its release, and 0.5.10 behind 0.5.9."""
    parts = _VERSION.fullmatch(text)
    assert parts is not None
    numbers = tuple(map(int, parts["numbers"].split(".")))
    return numbers, not parts["rest"].startswith(_BEFORE_RELEASE), _natural(parts["rest"])


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", text) if part]
