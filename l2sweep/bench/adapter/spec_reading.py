"""Which fields of a spec LMCache reads: it passes over a misspelt one without a word."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from lmcache.v1.distributed.l2_adapters.config import get_l2_adapter_config_class

# Read by LMCache for every type, outside the type's own class: parse_args_to_l2_adapters_config.
_COMMON = ("type", "affinity_tag", "shared", "eviction", "persist_enabled", "serde")


class _Watched(dict[str, Any]):
    """A mapping that knows which of its fields were asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(
            {name: _Watched(value) if isinstance(value, Mapping) else value for name, value in values.items()}
        )
        self.read: set[object] = set(_COMMON)

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.read.add(name)
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self.read.add(name)
        return super().pop(name, *default)

    def __iter__(self) -> Iterator[str]:
        self._read_all()
        return super().__iter__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        self._read_all()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self._read_all()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._read_all()
        return super().items()

    def _read_all(self) -> None:
        for name, value in super().items():
            self.read.add(name)
            if isinstance(value, _Watched):
                value._read_all()

    def is_spec(self) -> bool:
        """Whether this is an adapter's spec within another."""
        return super().__contains__("type")

    def unread(self, path: str = "") -> list[str]:
        """Return the fields that nobody asked for, those of specs inside with their path."""
        names: list[str] = []
        for name, value in super().items():
            if name not in self.read:
                names.append(f"{path}{name}")
            elif isinstance(value, _Watched) and value.is_spec():
                names += value.unread(f"{path}{name}.")
        return names


def unread_fields(spec: Mapping[str, Any]) -> list[str]:
    """Return the fields of a spec that LMCache's configuration class for its type never looks at.

    Args:
        spec: One that LMCache accepts.
    """
    watched = _Watched(spec)
    try:
        get_l2_adapter_config_class(str(spec["type"])).from_dict(watched)
    except Exception:
        return []  # it wants a plain mapping: nothing can be said
    return watched.unread()
