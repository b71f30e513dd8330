"""Create an adapter from a spec, with LMCache's own functions, and delete its keys."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lmcache.v1.distributed.api import MemoryLayoutDesc, ObjectKey
from lmcache.v1.distributed.l2_adapters import create_l2_adapter
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.l2_adapters.config import (
    L2AdapterConfigBase,
    get_registered_l2_adapter_types,
    get_type_name_for_config,
    parse_args_to_l2_adapters_config,
)

from l2sweep.bench.adapter.plugin_params import params_problems
from l2sweep.bench.adapter.spec_reading import unread_fields
from l2sweep.bench.data.buffers import L1Buffer
from l2sweep.errors import BenchError, RequestError

_POOL_FILE = re.compile(r"obj_[0-9]+_[0-9a-f]{4}\.bin")
_KEYS_PER_DELETE = 128  # LMCache's fs adapter gives up a delete call after 30 s (fs_l2_adapter.py)


def parse_spec(spec: Mapping[str, Any]) -> L2AdapterConfigBase:
    """Return LMCache's own configuration object for a spec.

    Only the module of the requested adapter is imported first. LMCache's loader would import every adapter in
    alphabetical order until it finds the type.

    Args:
        spec: An adapter spec.

    Raises:
        RequestError: LMCache does not know the type, cannot import it here, refuses a value, or does not read
            a field; or a plugin refuses its ``adapter_params``.
    """
    type_name = str(spec["type"])
    import_problem = import_adapter_module(type_name)
    if import_problem and type_name not in get_registered_l2_adapter_types():
        raise RequestError([import_problem])
    arguments = argparse.Namespace(l2_adapter=[json.dumps(spec)])
    try:
        config = parse_args_to_l2_adapters_config(arguments).adapters[0]
    except (ValueError, TypeError, KeyError) as error:
        reason = str(error).removeprefix("--l2-adapter #1 ").removeprefix(f"({type_name!r}): ")
        raise RequestError([f"adapter={type_name}: {reason}"]) from error
    if unread := unread_fields(spec):
        raise RequestError(
            [f"adapter.{name}: LMCache's {type_name} adapter does not read this field" for name in unread]
        )
    if problems := params_problems(spec):
        raise RequestError(problems)
    return config


def create(config: L2AdapterConfigBase, buffer: L1Buffer) -> L2AdapterInterface:
    """Create the adapter of a parsed spec.

    Args:
        config: LMCache's configuration object.
        buffer: Memory that the adapter may register.

    Raises:
        BenchError: The adapter could not be created.
    """
    try:
        adapter = create_l2_adapter(config, l1_memory_desc=buffer.description)
    except Exception as error:
        raise BenchError(f"the adapter could not be created: {type(error).__name__}: {error}") from error
    finally:
        unlink_pool_files(config)
    if hasattr(adapter, "set_backend_identity"):
        adapter.set_backend_identity(get_type_name_for_config(config))
    return adapter


def unlink_pool_files(config: L2AdapterConfigBase) -> None:
    """Remove the names of the files that NIXL's pool has just opened in this process.

    ``nixl_store`` opens ``pool_size`` files, uses only their descriptors, keeps its index in memory, and
    leaves the files behind when the process ends (init_storage_handlers_file of nixl_store_l2_adapter.py).
    Without a name they end with the process, however it ends.

    Args:
        config: LMCache's configuration object.
    """
    config = getattr(config, "inner_config", config)  # of fault_inject
    params = getattr(config, "backend_params", {})
    if get_type_name_for_config(config) != "nixl_store" or "file_path" not in params:
        return
    folder = Path(str(params["file_path"])).resolve()
    for descriptor in Path("/proc/self/fd").iterdir():
        # The descriptor of this listing itself, and those that other threads close, are gone.
        with contextlib.suppress(OSError):
            file = descriptor.readlink()
            is_of_pool = file.parent == folder and _POOL_FILE.fullmatch(file.name) is not None
            if is_of_pool and os.path.samestat(descriptor.stat(), file.lstat()):
                file.unlink()


def object_keys(indices: Sequence[int], namespace: str, kv_rank: int | None = None) -> list[ObjectKey]:
    """Return LMCache's keys of key indices, equal to those of ``make_object_keys`` of ``lmcache bench l2``.

    Args:
        indices: Key indices.
        namespace: Model name in each key.
        kv_rank: The ``kv_rank`` of each key; None: its index.
    """
    return [
        ObjectKey(
            chunk_hash=index.to_bytes(16, "big"),
            model_name=namespace,
            kv_rank=index if kv_rank is None else kv_rank,
        )
        for index in indices
    ]


def can_delete(adapter: L2AdapterInterface) -> bool:
    """Return whether the adapter implements delete; the method of LMCache's base class does nothing."""
    return type(innermost(adapter)).delete is not L2AdapterInterface.delete


def innermost(adapter: L2AdapterInterface) -> L2AdapterInterface:
    """Return the adapter that others wrap: fault_inject, a serde, or the storage manager."""
    while isinstance(inner := getattr(adapter, "_inner", None), L2AdapterInterface):
        adapter = inner
    return adapter


def class_name(adapter: L2AdapterInterface) -> str:
    """Return the name of the class of LMCache: behind the storage manager, that of the adapter."""
    return str(getattr(adapter, "class_name", type(adapter).__name__))


def delete(
    adapter: L2AdapterInterface,
    indices: Sequence[int],
    namespace: str,
    kv_rank: int | None = None,
    after_each: Callable[[], None] = lambda: None,
) -> None:
    """Delete a point's own keys, stored or not.

    Args:
        adapter: The adapter.
        indices: Key indices.
        namespace: Model name in each key.
        kv_rank: As for :func:`object_keys`.
        after_each: Called after each call of the adapter.
    """
    for start in range(0, len(indices), _KEYS_PER_DELETE):
        adapter.delete(object_keys(indices[start : start + _KEYS_PER_DELETE], namespace, kv_rank))
        after_each()


def lookup_arguments(adapter: L2AdapterInterface, data_size_bytes: int) -> tuple[Any, ...]:
    """Return the arguments of a lookup after its keys, which differ between LMCache's releases.

    There are none in 0.4, a layout in 0.5.0 to 0.5.2, and a layout for each object group since 0.5.3.

    Args:
        adapter: The adapter.
        data_size_bytes: Payload of a key.
    """
    parameters = list(inspect.signature(adapter.submit_lookup_and_lock_task).parameters)
    layout = MemoryLayoutDesc(shapes=[torch.Size([data_size_bytes])], dtypes=[torch.uint8])
    if len(parameters) == 1:
        return ()
    return (layout,) if parameters[1] == "layout_desc" else ({0: layout},)


def import_adapter_module(type_name: str) -> str:
    """Import the module that registers an adapter type.

    Returns:
        One sentence that says why it failed; empty if it worked.
    """
    package = "lmcache.v1.distributed.l2_adapters"
    module = f"{package}.{type_name.replace('-', '_')}_l2_adapter"
    try:
        exists = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the type contains a dot, and the part before it is not a package
        exists = False
    if not exists:
        known = ", ".join(get_registered_l2_adapter_types())
        return f"adapter.type: {type_name!r} is not an adapter type of this LMCache; known: {known}"
    try:
        importlib.import_module(module)
    except ImportError as error:
        return f"adapter.type: {type_name!r} cannot be imported here: {error}"
    return ""
