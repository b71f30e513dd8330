"""Read the fields of adapter specs: what is tuned, where the data are, and whether O_DIRECT is asked for."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from l2sweep.analysis.control import adapter_name

_PATHS = ("base_path", "device_path", "file_path")
_DIRECT = ("use_odirect", "use_direct_io")
_DIRECT_UNLESS_TOLD = ("raw_block",)


@dataclass(frozen=True)
class SpecFields:
    """What an adapter spec says.

    Attributes:
        adapter: The adapter type; ``control`` for the control adapter.
        path: Folder or device of its data; None if it names none.
        is_direct: Whether it asks for O_DIRECT.
        options: Its other fields, from names such as ``num_workers`` or ``inner.rate`` to values, sorted.
            Fields that are null are left out: they are as if they were not given.
    """

    adapter: str
    path: str | None
    is_direct: bool
    options: tuple[tuple[str, Any], ...]


@functools.lru_cache(maxsize=10_000)
def spec_fields(adapter_spec: str) -> SpecFields:
    """Return what a spec says.

    Args:
        adapter_spec: The column ``adapter_spec``: JSON.
    """
    spec = json.loads(adapter_spec)
    flat = dict(_flat(spec))
    direct = [value for name, value in flat.items() if name.rpartition(".")[2] in _DIRECT]
    return SpecFields(
        adapter=adapter_name(spec),
        path=next((str(value) for name, value in flat.items() if name.rpartition(".")[2] in _PATHS), None),
        is_direct=str(direct[0]).lower() == "true" if direct else spec.get("type") in _DIRECT_UNLESS_TOLD,
        options=tuple(
            sorted(
                (name, value)
                for name, value in flat.items()
                if name.rpartition(".")[2] not in (*_PATHS, "type") and value is not None
            )
        ),
    )


def _flat(spec: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    fields: list[tuple[str, Any]] = []
    for name, value in spec.items():
        if isinstance(value, Mapping):
            fields += _flat(value, f"{prefix}{name}.")
        else:
            fields.append((prefix + name, json.dumps(value) if isinstance(value, list) else value))
    return fields
