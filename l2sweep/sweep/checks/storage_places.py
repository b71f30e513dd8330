"""Check that each local place that a spec names can be created or written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from l2sweep.bench.job import PATH_FIELDS
from l2sweep.config.adapter.several import named_specs
from l2sweep.config.options import path_problem
from l2sweep.config.point import PointConfig
from l2sweep.errors import shown
from l2sweep.sweep.checks.writable import why_not_writable


def place_problems(points: Iterable[PointConfig]) -> list[str]:
    """Return a sentence for each place of an adapter's data that cannot be used.

    Only adapters that keep their data on this machine are checked. Nothing is created that stays.

    Args:
        points: The points of a request.
    """
    asked: dict[tuple[str, bool, bool], str] = {}
    wrong: dict[str, None] = {}
    every = (
        (point, traits, *named)
        for point in points
        for traits, named in zip(point.traits.every, named_specs(point.adapter_spec), strict=True)
    )
    for point, traits, adapter, spec in every:
        path = traits.storage_path
        if not traits.kind.is_local:
            continue
        if path is None:
            wrong.update(
                (f"{name}={shown(value)}: must be the text of a path", None)
                for name, value in _paths_of(spec, adapter)
                if value is not None
            )
            continue
        place = (path, "store" in point.phases, traits.overwritten_path is not None)
        if place not in asked:
            name = next((name for name, value in _paths_of(spec, adapter) if value == path), "")
            reason = why_unusable(path, writes=place[1], is_one_file=place[2])
            what = "a file or device" if place[2] else "a folder"
            asked[place] = (
                f"{name}={shown(path)}: must be {what} that can be created or written ({reason})"
                if reason
                else ""
            )
    return [*wrong, *dict.fromkeys(filter(None, asked.values()))]


def why_unusable(path: str, *, writes: bool, is_one_file: bool) -> str:
    """Return why an adapter cannot keep its data in a place; empty if it can.

    Args:
        path: The place, which may not exist yet.
        writes: Whether data are stored.
        is_one_file: Whether the adapter needs a file or a device, and not a folder.
    """
    if problem := path_problem(path):
        return problem
    place = Path(path).absolute()
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        if place.is_symlink():
            return "it is a link to something that does not exist"
        return why_not_writable(place.parent)
    except OSError as error:
        return f"{error.strerror}"
    if not is_one_file:
        if not stat.S_ISDIR(mode):
            return "it is not a folder"
        return why_not_writable(place) if writes else ""
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode) or stat.S_ISCHR(mode)):
        return "it is neither a file nor a device"
    return "" if not writes or os.access(place, os.W_OK) else "it must not be written by this user"


def _paths_of(spec: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of each field that names a place, also in the specs inside."""
    for key, value in spec.items():
        if key in PATH_FIELDS:
            yield f"{name}.{key}", value
        elif isinstance(value, Mapping):
            yield from _paths_of(value, f"{name}.{key}")
