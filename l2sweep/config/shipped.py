"""Where the configuration that l2sweep ships lies."""

from __future__ import annotations

from pathlib import Path

import l2sweep


def config_folder() -> Path:
    """Return the folder: inside the package in a wheel, next to it in a source tree."""
    package = Path(l2sweep.__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def shipped_names(group: str) -> list[str]:
    """Return the names of the files in a folder of the configuration, sorted.

    Args:
        group: Name of the folder: adapter, model, gpu and so on.
    """
    return sorted(file.stem for file in (config_folder() / group).glob("*.yaml"))
