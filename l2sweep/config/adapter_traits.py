"""Where an adapter keeps its data, as far as a page cache is concerned.

LMCache does not tell; this is what its adapters (0.5.6) do. ``cache.paths`` says it for any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.config.adapter_spec import storage_path

_LOCAL_PATHS = ("fs", "fs_native", "native_plugin", "plugin", "raw_block", "nixl_store_dynamic", "fio")
_ENDS_WITH_ITS_PROCESS = {
    "mock": "keeps its data in the memory of its process",
    "dax": "keeps its index in the memory of its process",
    "nixl_store": "keeps its index in the memory of its process",
}
# They open their device or files with O_DIRECT unless told otherwise.
_DIRECT_BY_DEFAULT = ("raw_block",)


@dataclass(frozen=True)
class Traits:
    """What is known of an adapter's data.

    Attributes:
        paths: Folders, files or block devices of this machine that hold them; none: they are elsewhere.
        lost_because: Why no later process can find them; empty where one can.
        asks_for_direct: Whether the spec asks for O_DIRECT; what comes of that is measured.
    """

    paths: tuple[str, ...]
    lost_because: str
    asks_for_direct: bool

    @classmethod
    def of(cls, spec: Mapping[str, Any], paths: Sequence[str] | None = None) -> Traits:
        """Return what is known of the adapter that a spec describes.

        Args:
            spec: The adapter's.
            paths: Where its data are, if the user says so.
        """
        inner = spec.get("inner")
        if isinstance(inner, Mapping):
            return cls.of(inner, paths)
        name = str(spec.get("type"))
        if paths is None:
            path = storage_path(spec) if name in _LOCAL_PATHS else None
            paths = [] if path is None else [path]
        return cls(tuple(paths), _ENDS_WITH_ITS_PROCESS.get(name, ""), _asks_for_direct(spec, name))


def _asks_for_direct(spec: Mapping[str, Any], name: str) -> bool:
    fields = [spec, *(value for value in spec.values() if isinstance(value, Mapping))]
    for field in fields:
        for option in ("use_odirect", "use_direct_io"):
            if option in field:
                return str(field[option]).lower() == "true"
    return name in _DIRECT_BY_DEFAULT
