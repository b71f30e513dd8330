"""What changed in the environment of a point from one sweep to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from l2sweep.analysis.compare.rows.completeness import COMPLETENESS_COLUMNS
from l2sweep.analysis.compare.rows.environment import ENVIRONMENT
from l2sweep.analysis.fleet.hosts import FLEET_HOST

_READ = ("sweep_id", "point_id", *ENVIRONMENT, FLEET_HOST)
POINTS_READ = (*_READ, *(name for name in COMPLETENESS_COLUMNS if name not in _READ))
"""The columns of ``points`` that a history reads."""
_COMMIT = "config_git_commit"
_SHORT_COMMIT = 10

Environments = Mapping[tuple[str, str | None, str], Mapping[str, str]]
"""The environment of a point in a sweep, by the id of the point, the host of a fleet, and the id of the
sweep: a text for each name such as ``LMCache``."""


def environments(points: pa.Table) -> Environments:
    """Return the environment of each point in each sweep.

    Args:
        points: Rows of ``points`` with the columns ``POINTS_READ``.

    Returns:
        Several different values are joined by ``/``. The text is empty if the value is not known.
    """
    unique = points.select(_READ).group_by(_READ).aggregate([])
    values: dict[tuple[str, str | None, str], dict[str, set[str]]] = {}
    for row in unique.to_pylist():
        key = row["point_id"], row[FLEET_HOST], row["sweep_id"]
        own = values.setdefault(key, {column: set() for column in ENVIRONMENT})
        for column in ENVIRONMENT:
            if row[column] is not None:
                own[column].add(_text(row[column], column))
    return {
        key: {name: "/".join(sorted(own[column])) for column, name in ENVIRONMENT.items()}
        for key, own in values.items()
    }


def differences(
    environments: Environments, place: tuple[str, str | None], before: str, after: str
) -> tuple[str, ...]:
    """Return what changed for a point from one sweep to another, such as ``LMCache 0.5.5 → 0.5.6``.

    Args:
        environments: The result of :func:`environments`.
        place: Id of the point, and the host of a fleet; None for other sweeps.
        before: Id of the earlier sweep.
        after: Id of the later sweep.
    """
    old, new = (environments.get((*place, night)) for night in (before, after))
    if old is None or new is None:
        return ()
    return tuple(
        f"{name} {old[name] or 'unknown'} → {new[name] or 'unknown'}"
        for name in ENVIRONMENT.values()
        if old[name] != new[name]
    )


def _text(value: Any, column: str) -> str:
    if column == _COMMIT:
        commit, separator, state = str(value).partition("-")
        return commit[:_SHORT_COMMIT] + separator + state
    return str(value)
