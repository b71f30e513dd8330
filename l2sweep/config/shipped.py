"""Where the configuration that l2sweep ships lies."""

from __future__ import annotations

from pathlib import Path

import l2sweep


def config_folder() -> Path:
    """Return the folder: inside the package in a wheel, next to it in a source tree."""
    package = Path(l2sweep.__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
