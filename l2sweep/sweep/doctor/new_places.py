"""Remove what an examination created of the local places that it uses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


@contextlib.contextmanager
def new_places_removed(folders: Iterable[str | None], file: str | None = None) -> Iterator[None]:
    """Remove after the block the folders that did not exist before it and are empty, and a file.

    Args:
        folders: Paths of folders, which may not exist yet. So may the folders above them.
        file: Path of a file, which is removed even if it has content.
    """
    paths = [Path(path).absolute() for path in (*folders, file) if path is not None]
    new = dict.fromkeys(
        above for path in paths for above in (path, *path.parents) if not os.path.lexists(above)
    )
    try:
        yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):  # it does not exist, or holds something of others
                if path.is_dir():
                    _remove_empty(path)
                elif file is not None and path == Path(file).absolute():
                    path.unlink()


def _remove_empty(folder: Path) -> None:
    """Remove a folder if it has nothing but empty folders in it.

    Raises:
        OSError: It has something else in it.
    """
    for inside, _, _ in os.walk(folder, topdown=False):
        Path(inside).rmdir()
