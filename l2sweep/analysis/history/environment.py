"""What changed in the environment of a point from one sweep to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_LABELS = {
    "lmcache_version": "LMCache",
    "l2sweep_version": "l2sweep",
    "config_git_commit": "config commit",
    "kernel": "kernel",
    "python_version": "Python",
    "torch_version": "torch",
    "host": "host",
    "cpu_model": "CPU",
    "cpu_count": "processors",
    "memory_bytes": "memory",
    "fs_type": "file system",
    "mount_options": "mount options",
    "block_device": "device",
    "effective_odirect": "O_DIRECT",
}
_COMMIT = "config_git_commit"
_SHORT_COMMIT = 10

Environments = Mapping[tuple[str, str], Mapping[str, str]]
"""The environment of a point in a sweep, by the ids of both: a text for each label such as ``LMCache``."""


def environments(points: pd.DataFrame) -> Environments:
    """Return the environment of each point in each sweep.

    Args:
        points: Rows of ``load_points``.

    Returns:
        Several different values are joined by ``/``. The text is empty if the value is not known.
    """
    unique = points[["point_id", "sweep_id", *_LABELS]].drop_duplicates()
    values: dict[tuple[str, str], dict[str, set[str]]] = {}
    for row in unique.to_dict("records"):
        own = values.setdefault((row["point_id"], row["sweep_id"]), {column: set() for column in _LABELS})
        for column in _LABELS:
            if (value := row[column]) is not None and value == value:  # only NaN differs from itself
                own[column].add(_text(value, column))
    return {
        key: {label: "/".join(sorted(own[column])) for column, label in _LABELS.items()}
        for key, own in values.items()
    }


def differences(environments: Environments, point_id: str, before: str, after: str) -> tuple[str, ...]:
    """Return what changed for a point from one sweep to another, such as ``LMCache 0.5.5 → 0.5.6``.

    Args:
        environments: The result of :func:`environments`.
        point_id: The point.
        before: Id of the earlier sweep.
        after: Id of the later sweep.
    """
    old, new = environments.get((point_id, before)), environments.get((point_id, after))
    if old is None or new is None:
        return ()
    return tuple(
        f"{label} {old[label] or 'unknown'} → {new[label] or 'unknown'}"
        for label in _LABELS.values()
        if old[label] != new[label]
    )


def _text(value: Any, column: str) -> str:
    if column == _COMMIT:
        commit, separator, state = str(value).partition("-")
        return commit[:_SHORT_COMMIT] + separator + state
    if isinstance(value, float) and value.is_integer():  # an integer column with missing values
        return str(int(value))
    return str(value)
