"""How many keys fit into an adapter, as far as its spec says so, and the sizes that follow from a key's size.

The formulas are those of LMCache 0.5.6.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

_GIB = 1 << 30
_KIB = 1 << 10
# Defaults of RawBlockL2AdapterConfig (raw_block_l2_adapter.py).
_HEADER_BYTES = 4 * _KIB
_META_BYTES = 256 << 20

Capacity = Callable[[Mapping[str, Any], int, int], int | None]


def capacity_keys(spec: Mapping[str, Any], data_size_bytes: int, align_bytes: int) -> int | None:
    """Return how many keys of a size fit into the adapter that a spec describes; None if that is unknown.

    Args:
        spec: The spec, not one that wraps another.
        data_size_bytes: Payload of a key.
        align_bytes: Alignment of the buffers, which is the page of NIXL.
    """
    compute = _CAPACITIES.get(str(spec.get("type")))
    if compute is None:
        return None
    try:
        return compute(spec, data_size_bytes, align_bytes)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
        return None  # LMCache refuses such a spec, and says why


def padded_bytes(data_size_kb: Any, more_bytes: int = 0) -> int:
    """Return the bytes of a slot or file for one key: a resolver of ``conf/adapter``.

    A size that is not allowed gives 0: the check of ``data_size_kb`` names it.

    Args:
        data_size_kb: Payload of a key in KiB.
        more_bytes: Bytes besides the payload, such as a header.
    """
    is_size = isinstance(data_size_kb, int) and data_size_kb > 0
    return data_size_kb * _KIB + more_bytes if is_size else 0


def padded_text(data_size_kb: Any, more_bytes: int = 0) -> str:
    """Return :func:`padded_bytes` as text, which is all that NIXL takes in ``backend_params``."""
    return str(padded_bytes(data_size_kb, more_bytes))


def _of_dax(spec: Mapping[str, Any], data_size_bytes: int, _: int) -> int:
    """The slots of all devices: ``DaxCore`` (storage_backend/dax/core.py). A key takes one slot."""
    slot_bytes = int(spec["slot_bytes"])
    sizes_gb = [float(device["max_dax_size_gb"]) for device in spec.get("devices", [spec])]
    return 0 if data_size_bytes > slot_bytes else sum(int(one * _GIB) // slot_bytes for one in sizes_gb)


def _of_raw_block(spec: Mapping[str, Any], data_size_bytes: int, _: int) -> int | None:
    """The slots behind the metadata: ``_ensure_capacity_and_layout`` (storage_backend/raw_block/core.py)."""
    slot_bytes, header_bytes = int(spec["slot_bytes"]), int(spec.get("header_bytes", _HEADER_BYTES))
    if data_size_bytes > slot_bytes - header_bytes:
        return 0
    limits = [int(spec.get("capacity_bytes", 0)), _size_bytes(spec["device_path"])]
    usable = [limit for limit in limits if limit]
    of_slots = min(usable, default=0) - int(spec.get("meta_total_bytes", _META_BYTES))
    return of_slots // slot_bytes if of_slots > 0 else None  # LMCache refuses a device that is too small


def _of_nixl_store(spec: Mapping[str, Any], data_size_bytes: int, align_bytes: int) -> int:
    """The pages of the pool: ``NixlStorageAgent`` (nixl_store_l2_adapter.py). A page has the alignment."""
    file_bytes = int(spec["backend_params"].get("file_size", align_bytes))
    pages = int(spec["pool_size"]) * (file_bytes // align_bytes)
    return pages // -(-data_size_bytes // align_bytes)


def _of_nixl_store_dynamic(spec: Mapping[str, Any], data_size_bytes: int, _: int) -> int:
    """The bytes that its limit allows (nixl_store_dynamic_l2_adapter.py)."""
    return int(float(spec["backend_params"]["max_capacity_gb"]) * _GIB) // data_size_bytes


_CAPACITIES: dict[str, Capacity] = {
    "dax": _of_dax,
    "raw_block": _of_raw_block,
    "nixl_store": _of_nixl_store,
    "nixl_store_dynamic": _of_nixl_store_dynamic,
}


def _size_bytes(path: str) -> int:
    """Return the size of a file or block device; 0 if it is unknown."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return 0
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
