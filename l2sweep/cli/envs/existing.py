"""List and remove the environments with other releases of LMCache."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l2sweep.analysis.compare.rows.split import in_order
from l2sweep.config.releases import RELEASE, environments_folder, installed_release, interpreter_in
from l2sweep.errors import RequestError, shown
from l2sweep.sweep.checks.interpreter import why_unusable


@dataclass(frozen=True)
class Environment:
    """An environment, or the one in which l2sweep runs.

    Attributes:
        release: Its release of LMCache.
        state: ``ok``, ``installed``, or why it cannot be used.
        size_bytes: Size of its files; None for the one in which l2sweep runs.
        path: Its folder.
    """

    release: str
    state: str
    size_bytes: int | None
    path: str


def environments() -> list[Environment]:
    """Return the installed release, and then the environments in the order of their releases."""
    folder = environments_folder()
    found = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    added = in_order([name for name in found if re.fullmatch(RELEASE, name)], {})
    installed = installed_release()
    first = [] if installed is None else [Environment(installed, "installed", None, sys.prefix)]
    return [*first, *(_environment(folder / release) for release in added)]


def remove_environments(releases: Sequence[str]) -> None:
    """Remove the environments of releases.

    Raises:
        RequestError: A release has none. Nothing was removed.
    """
    folder = environments_folder()
    problems = []
    for release in releases:
        if not os.path.lexists(folder / release):
            added = ", ".join(one.release for one in environments() if one.size_bytes is not None)
            problems.append(
                f"envs: {release}: has no environment in {shown(folder)}; added: {added or 'none'}"
            )
    if problems:
        raise RequestError(problems)
    for release in dict.fromkeys(releases):
        path = folder / release
        if path.is_symlink():
            path.unlink()
        else:
            shutil.rmtree(path)


def _environment(path: Path) -> Environment:
    reason = why_unusable(str(interpreter_in(path)))
    files = (file for file in path.rglob("*") if not file.is_symlink() and file.is_file())
    return Environment(
        release=path.name,
        state=f"broken: {reason}" if reason else "ok",
        size_bytes=sum(file.stat().st_size for file in files),
        path=str(path),
    )
