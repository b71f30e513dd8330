"""What is known of the adapter that a spec describes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from l2sweep.analysis.control import adapter_name
from l2sweep.bench.job import adapter_types, local_paths, specs_of
from l2sweep.config.adapter.capacity import capacity_keys
from l2sweep.config.adapter.kinds import (
    ADAPTER_KINDS,
    CLIENT_CACHE,
    REMOTE,
    SERVER,
    AdapterKind,
    AnsweredBy,
)
from l2sweep.config.adapter.trait_options import TraitOptions

_DIRECT_FIELDS = ("use_odirect", "use_direct_io")


@dataclass(frozen=True)
class AdapterTraits:
    """What is known of the adapter that a spec describes.

    Attributes:
        kind: Facts of its type; of the type inside, where it wraps another adapter.
        storage_path: The local place that its spec names; None where it names none.
        cached_paths: Folders, files or block devices of this machine whose pages the kernel caches for it.
        asks_for_direct: Whether the spec asks for O_DIRECT; the effect is measured.
        overwritten_path: The device or file that it overwrites; None for most adapters.
        inner: The spec; the one inside, where it wraps another adapter.
        given_capacity_keys: How many keys fit into it, if the user says so.
        more: What is known of the further adapters behind the same storage manager. The kind, the cached
            paths and ``asks_for_direct`` above concern all of them.
    """

    kind: AdapterKind
    storage_path: str | None
    cached_paths: tuple[str, ...]
    asks_for_direct: bool
    overwritten_path: str | None
    inner: Mapping[str, Any]
    given_capacity_keys: int | None = None
    more: tuple[AdapterTraits, ...] = ()

    @classmethod
    def of(
        cls,
        spec: Mapping[str, Any],
        paths: Sequence[str] | None = None,
        options: TraitOptions | None = None,
    ) -> AdapterTraits:
        """Return what is known of the adapter that a spec describes.

        Args:
            spec: The adapter's.
            paths: Where its data are, if the user says so.
            options: What else the user says of it.
        """
        spec, *others = specs_of(spec)
        more = tuple(cls.of(one) for one in others)
        options = options or TraitOptions()
        inner = _innermost(spec)
        kind = options.applied(ADAPTER_KINDS.get(adapter_name(inner), REMOTE))
        storage_path = next(iter(local_paths(spec)), None)
        if paths is None:
            paths = [storage_path] if kind.has_page_cache and storage_path is not None else []
        kinds = (ADAPTER_KINDS.get(name, REMOTE) for name in adapter_types(spec))
        overwrites = kind.is_destructive or any(one.is_destructive for one in kinds)
        return cls(
            _of_all(kind, [one.kind for one in more]),
            storage_path,
            tuple(dict.fromkeys([*paths, *(path for one in more for path in one.cached_paths)])),
            _asks_for_direct(inner, kind) and all(one.asks_for_direct for one in more),
            storage_path if overwrites else None,
            inner,
            options.capacity_keys,
            more,
        )

    @property
    def every(self) -> tuple[AdapterTraits, ...]:
        """What is known of each adapter, the first one first."""
        return (self, *self.more)

    def capacity_keys(self, data_size_bytes: int, align_bytes: int) -> int | None:
        """Return how many keys fit into the adapter; None if neither its spec nor the user tells.

        Args:
            data_size_bytes: Payload of a key.
            align_bytes: Alignment of the buffers.
        """
        if self.given_capacity_keys is not None:
            return self.given_capacity_keys
        known = [capacity_keys(one.inner, data_size_bytes, align_bytes) for one in self.every]
        return min((one for one in known if one is not None), default=None)

    @property
    def alignment_bytes(self) -> int:
        """Alignment that the buffers need, in bytes; 1: any."""
        return math.lcm(self._own_alignment_bytes, *(one.alignment_bytes for one in self.more))

    @property
    def _own_alignment_bytes(self) -> int:
        needed = self.kind.alignment_bytes
        block = self.inner.get("block_align", needed)
        if not self.kind.is_direct_by_default:
            return needed
        is_direct = _asks_for_direct(self.inner, self.kind)
        return (block if isinstance(block, int) else needed) if is_direct else 1

    def lookup_answered_by(self, *, stored_here: bool, finds_keys: bool) -> AnsweredBy | None:
        """Return what answers a lookup; None if it is unknown.

        Args:
            stored_here: Whether the process of the lookup stored the keys.
            finds_keys: Whether the lookup finds keys. A client asks its server about a key that it does not
                know.
        """
        answered_by = self.kind.lookup_answered_by
        is_of_server = answered_by == CLIENT_CACHE and not (stored_here and finds_keys)
        return SERVER if is_of_server else answered_by


def _of_all(kind: AdapterKind, others: Sequence[AdapterKind]) -> AdapterKind:
    """Return the kind of a first adapter, with what also depends on the further ones."""
    lost = next((one.lost_because for one in (kind, *others) if one.lost_because), "")
    keeps_data = any(one.keeps_data_in_process for one in (kind, *others))
    return replace(kind, lost_because=lost, keeps_data_in_process=keeps_data) if others else kind


def why_not_from_a_file(spec: Mapping[str, Any]) -> str:
    """Return why a spec that was read from a file may not be used, unless the user requests the same one.

    ``plugin`` and ``native_plugin`` import ``module_path`` and call ``class_name`` (plugin_l2_adapter.py,
    native_plugin_l2_adapter.py), and NIXL loads a library for each ``backend``. A type that is not in the
    table could do so as well.

    Args:
        spec: The spec.

    Returns:
        A clause such as "its adapter may run code: plugin"; empty if the spec holds only data, and only adds
        files or entries to a folder or server.
    """
    if "type" not in spec:
        return "it has no type"
    for one in _specs_inside(spec):
        kind = _kind_of_code(one)
        if kind.is_destructive:
            return f"its adapter overwrites a device or file: {one['type']}"
        if not kind.runs_no_code:
            return f"its adapter may run code: {one['type']}"
    text = json.dumps(spec, default=str)
    if '"serde"' in text:
        return "it contains serde"
    if "${" in text:
        return "it refers to a secret or to another value"
    return ""


def _specs_inside(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a spec, and the specs at any depth of its mappings."""
    inside = [one for value in spec.values() if isinstance(value, Mapping) for one in _specs_inside(value)]
    return [spec, *inside] if "type" in spec else inside


def _kind_of_code(spec: Mapping[str, Any]) -> AdapterKind:
    """Return the kind of a spec. The control is only known under the type that it has in ``conf/``."""
    name = adapter_name(spec) if spec["type"] == "plugin" else str(spec["type"])
    return ADAPTER_KINDS.get(name, REMOTE)


def _innermost(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = spec.get("inner")
    return _innermost(inner) if isinstance(inner, Mapping) else spec


def _asks_for_direct(spec: Mapping[str, Any], kind: AdapterKind) -> bool:
    for fields in (spec, *(value for value in spec.values() if isinstance(value, Mapping))):
        for name in _DIRECT_FIELDS:
            if name in fields:
                return str(fields[name]).lower() == "true"
    return kind.is_direct_by_default
