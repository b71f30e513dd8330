"""The serde of a spec, as LMCache's storage manager will create it, and the layout that it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lmcache.v1.distributed.api import MemoryLayoutDesc
from lmcache.v1.distributed.serde import create_serde_processor
from lmcache.v1.distributed.serde.base import SerdeConfig

from l2sweep.bench.adapter.spec_reading import RecordingDict

_DTYPE = torch.bfloat16


def l1_layout(data_size_bytes: int) -> MemoryLayoutDesc:
    """Return the layout of a key in L1: numbers in ``bfloat16``, the usual type of a KV cache.

    Args:
        data_size_bytes: Payload of a key.
    """
    return MemoryLayoutDesc(shapes=[torch.Size([data_size_bytes // _DTYPE.itemsize])], dtypes=[_DTYPE])


def serde_problems(spec: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each thing that LMCache refuses or ignores in the serde of a spec.

    Args:
        spec: A spec that LMCache accepts. LMCache creates its serde only with the storage manager.
    """
    serde = spec.get("serde")
    if serde is None:
        return []
    options = RecordingDict({name: value for name, value in serde.items() if name != "type"})
    try:
        create_serde_processor(SerdeConfig(type=serde["type"], kwargs=options)).close()
    except Exception as error:
        return [f"adapter.serde: {error}"]
    return [
        f"adapter.serde.{name}: LMCache's {serde['type']} serde does not read this field"
        for name in options.unread()
    ]
