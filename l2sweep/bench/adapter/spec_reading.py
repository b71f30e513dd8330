"""Find the fields of a spec that LMCache does not read: it ignores a misspelt field without a message."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any

from lmcache.v1.distributed.l2_adapters.config import get_l2_adapter_config_class

# LMCache reads these for every type, outside the configuration class of the type:
# parse_args_to_l2_adapters_config.
_COMMON = ("type", "affinity_tag", "shared", "eviction", "persist_enabled", "serde")


class RecordingDict(dict[str, Any]):
    """A mapping that records which of its fields are read.

    Args:
        values: The fields.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(
            {
                name: RecordingDict(value) if isinstance(value, Mapping) else value
                for name, value in values.items()
            }
        )
        self.read: set[object] = set(_COMMON)

    def __getitem__(self, name: str) -> Any:
        """Return a field, which is then read."""
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        """Return whether there is a field, which is then read."""
        self.read.add(name)
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field or the default. It is then read."""
        self.read.add(name)
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        """Iterate over all fields, which are then read; so are those of the next three."""
        self._read_all()
        return super().__iter__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return the names of all fields."""
        self._read_all()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """Return the values of all fields."""
        self._read_all()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """Return the names and values of all fields."""
        self._read_all()
        return super().items()

    def _read_all(self) -> None:
        for name, value in super().items():
            self.read.add(name)
            if isinstance(value, RecordingDict):
                value._read_all()

    def is_spec(self) -> bool:
        """Whether this mapping is an adapter spec."""
        return super().__contains__("type")

    def unread(self, path: str = "") -> list[str]:
        """Return the fields that were not read. Those of inner specs come with their path."""
        names: list[str] = []
        for name, value in super().items():
            if name not in self.read:
                names.append(f"{path}{name}")
            elif name not in _COMMON and isinstance(value, RecordingDict) and value.is_spec():
                names += value.unread(f"{path}{name}.")
        return names


def unread_fields(spec: Mapping[str, Any]) -> list[str]:
    """Return the fields of a spec that LMCache's configuration class for its type does not read.

    Args:
        spec: A spec that LMCache accepts.
    """
    recorded = RecordingDict(spec)
    try:
        get_l2_adapter_config_class(str(spec["type"])).from_dict(recorded)
    except Exception:
        return []  # the class needs a plain mapping: its reads cannot be recorded
    return recorded.unread()
