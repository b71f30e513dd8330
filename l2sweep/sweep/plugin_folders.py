"""Find the folders from which a benchmark process imports the plugins beside the user's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from l2sweep.config.point import PointConfig
from l2sweep.records.trusted_files import why_untrusted

_MODULE = "module_path"  # plugin_l2_adapter.py, native_plugin_l2_adapter.py


def plugin_folders(points: Iterable[PointConfig], config_folder: Path) -> tuple[str, ...]:
    """Return the folders that contain the module of a plugin: that of the configuration, and the current one.

    A folder or module that another user could have written is left out: its code would run as this user.

    Args:
        points: The points.
        config_folder: Folder of the configuration.
    """
    modules = {name.partition(".")[0] for point in points for name in _modules(point.adapter_spec)}
    folders = dict.fromkeys((config_folder.absolute(), Path.cwd())) if modules else {}
    return tuple(str(folder) for folder in folders if any(_has_module(folder, name) for name in modules))


def _modules(spec: Mapping[str, Any]) -> Iterator[str]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _modules(value)
        elif name == _MODULE and isinstance(value, str) and value.partition(".")[0].isidentifier():
            yield value


def _has_module(folder: Path, name: str) -> bool:
    try:
        if why_untrusted(folder.stat()):
            return False
        return any(
            path.exists() and not why_untrusted(path.stat())
            for path in (folder / f"{name}.py", folder / name)
        )
    except OSError:
        return False
