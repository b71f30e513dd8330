"""What l2sweep knows of each adapter type: one table.

The control is of LMCache's type ``plugin``, and has a row of its own.

LMCache does not tell these facts; they were found by running LMCache 0.5.6 and reading its adapters. A type
that is not in the table is treated as a remote store: its data are not on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2sweep.analysis.control import CONTROL, adapter_name
from l2sweep.bench.job import FIO, PHASES, adapter_types, local_paths

_DIRECT_FIELDS = ("use_odirect", "use_direct_io")


@dataclass(frozen=True)
class AdapterKind:
    """An adapter type.

    Attributes:
        has_page_cache: Its data are files or a device of this machine, whose pages the kernel caches.
        lost_because: Why no later process can find its data; empty where one can.
        is_direct_by_default: It opens its device with O_DIRECT unless told otherwise.
        falls_back_to_buffered: With O_DIRECT asked for, it uses buffered I/O without failing when a key's
            size is not a multiple of the file system's block.
        overwrites_its_path: It overwrites the content of its ``device_path``.
        keeps_data_in_process: Its data take memory of the benchmark process.
        phases: The phases that it has.
        needs_program: A program that must be installed to measure it.
        runs_no_code: No field of its spec names a module, a class, a library or a program.
    """

    has_page_cache: bool = False
    lost_because: str = ""
    is_direct_by_default: bool = False
    falls_back_to_buffered: bool = False
    overwrites_its_path: bool = False
    keeps_data_in_process: bool = False
    phases: tuple[str, ...] = PHASES
    needs_program: str = ""
    runs_no_code: bool = False

    @property
    def is_local(self) -> bool:
        """Whether its data are on this machine."""
        return self.has_page_cache or self.overwrites_its_path or bool(self.lost_because)


_INDEX_IN_PROCESS = "keeps its index in the memory of its process"
_DATA_IN_PROCESS = "keeps its data in the memory of its process"

ADAPTER_KINDS: dict[str, AdapterKind] = {
    "fs": AdapterKind(has_page_cache=True, falls_back_to_buffered=True, runs_no_code=True),
    "fs_native": AdapterKind(has_page_cache=True, falls_back_to_buffered=True, runs_no_code=True),
    "native_plugin": AdapterKind(has_page_cache=True),
    "plugin": AdapterKind(has_page_cache=True),
    "raw_block": AdapterKind(has_page_cache=True, is_direct_by_default=True, overwrites_its_path=True),
    "nixl_store_dynamic": AdapterKind(has_page_cache=True),
    "nixl_store": AdapterKind(lost_because=_INDEX_IN_PROCESS),
    "dax": AdapterKind(lost_because=_INDEX_IN_PROCESS, overwrites_its_path=True),
    CONTROL: AdapterKind(lost_because=_DATA_IN_PROCESS, keeps_data_in_process=True, runs_no_code=True),
    "mock": AdapterKind(lost_because=_DATA_IN_PROCESS, keeps_data_in_process=True, runs_no_code=True),
    FIO: AdapterKind(
        has_page_cache=True,
        phases=("store", "load"),
        needs_program="fio",
        runs_no_code=True,
    ),
    "fault_inject": AdapterKind(runs_no_code=True),
    "resp": AdapterKind(runs_no_code=True),
    "s3": AdapterKind(runs_no_code=True),
    "valkey": AdapterKind(runs_no_code=True),
}
_REMOTE = AdapterKind()


@dataclass(frozen=True)
class AdapterTraits:
    """What is known of the adapter that a spec describes.

    Attributes:
        kind: Facts of its type; of the type inside, where it wraps another adapter.
        storage_path: The local place that its spec names; None where it names none.
        cached_paths: Folders, files or block devices of this machine whose pages the kernel caches for it.
        asks_for_direct: Whether the spec asks for O_DIRECT; the effect is measured.
        overwritten_path: The device or file that it overwrites; None for most adapters.
    """

    kind: AdapterKind
    storage_path: str | None
    cached_paths: tuple[str, ...]
    asks_for_direct: bool
    overwritten_path: str | None

    @classmethod
    def of(cls, spec: Mapping[str, Any], paths: Sequence[str] | None = None) -> AdapterTraits:
        """Return what is known of the adapter that a spec describes.

        Args:
            spec: The adapter's.
            paths: Where its data are, if the user says so.
        """
        inner = _innermost(spec)
        kind = ADAPTER_KINDS.get(adapter_name(inner), _REMOTE)
        storage_path = next(iter(local_paths(spec)), None)
        if paths is None:
            paths = [storage_path] if kind.has_page_cache and storage_path is not None else []
        kinds = (ADAPTER_KINDS.get(name, _REMOTE) for name in adapter_types(spec))
        overwrites = any(kind.overwrites_its_path for kind in kinds)
        return cls(
            kind,
            storage_path,
            tuple(paths),
            _asks_for_direct(inner, kind),
            storage_path if overwrites else None,
        )


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
        if kind.overwrites_its_path:
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
    return ADAPTER_KINDS.get(name, _REMOTE)


def _innermost(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = spec.get("inner")
    return _innermost(inner) if isinstance(inner, Mapping) else spec


def _asks_for_direct(spec: Mapping[str, Any], kind: AdapterKind) -> bool:
    for fields in (spec, *(value for value in spec.values() if isinstance(value, Mapping))):
        for name in _DIRECT_FIELDS:
            if name in fields:
                return str(fields[name]).lower() == "true"
    return kind.is_direct_by_default
