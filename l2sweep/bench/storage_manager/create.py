"""Create LMCache's storage manager for specs and a job: one L1, its L2 adapters, else LMCache's defaults."""

from __future__ import annotations

from collections.abc import Sequence

from lmcache.v1.distributed.api import MemoryLayoutDesc
from lmcache.v1.distributed.config import (
    EvictionConfig,
    L1ManagerConfig,
    L1MemoryManagerConfig,
    StorageManagerConfig,
)
from lmcache.v1.distributed.l2_adapters.config import L2AdapterConfigBase, L2AdaptersConfig
from lmcache.v1.distributed.storage_manager import StorageManager

from l2sweep.bench.adapter.create import class_name, unlink_pool_files
from l2sweep.bench.job import Job
from l2sweep.bench.storage_manager.adapter import FurtherAdapter, ManagedAdapter, Shared
from l2sweep.bench.storage_manager.evictions import Evictions
from l2sweep.bench.storage_manager.l1 import L1
from l2sweep.bench.storage_manager.prefetches import Prefetches
from l2sweep.bench.storage_manager.serdes import l1_layout
from l2sweep.bench.storage_manager.sources import LoadSources
from l2sweep.bench.storage_manager.stores import StoreWatch
from l2sweep.bench.storage_manager.verbs import MANAGED_VERBS
from l2sweep.bench.workload import Workload
from l2sweep.errors import BenchError

_BY_CAPACITY = ("LRU", "ARC")  # StorageManager._should_enable_l2_eviction


def create(configs: Sequence[L2AdapterConfigBase], job: Job) -> ManagedAdapter:
    """Create the storage manager with its L2 adapters.

    Args:
        configs: LMCache's configuration object of each adapter.
        job: Gives the size of a round.

    Returns:
        The first adapter. Its ``parts`` are all of them.

    Raises:
        BenchError: It could not be created.
    """
    workload = job.workload
    sides = 2 if job.concurrent else 1
    has_serde = any(config.serde_config is not None for config in configs)
    try:
        size_bytes = sides * l1_bytes(workload, has_serde=has_serde)
        manager = StorageManager(_manager_config(configs, size_bytes, workload.l1_align_bytes))
    except Exception as error:
        raise BenchError(
            f"the storage manager could not be created: {type(error).__name__}: {error}"
        ) from error
    finally:
        for config in configs:
            unlink_pool_files(config)
    layout: MemoryLayoutDesc = l1_layout(workload.data_size_bytes)
    inner = [adapter for _, adapter in manager.l2_adapters()]
    for config, adapter in zip(configs, inner, strict=True):
        if _policy(config) in _BY_CAPACITY and not adapter.supports_global_eviction:
            manager.close()
            raise BenchError(
                f"adapter.eviction: {class_name(adapter)} has no capacity, so LMCache would evict nothing"
            )
    shared = Shared(
        L1(manager, layout),
        StoreWatch(inner),
        Prefetches(manager, layout, workload.in_flight),
        LoadSources(inner),
        MANAGED_VERBS,
    )
    parts: list[ManagedAdapter] = []
    for number, (config, adapter) in enumerate(zip(configs, inner, strict=True)):
        evictions = Evictions(can_evict=_policy(config) not in (None, "noop"))
        adapter.register_listener(evictions)
        kind = FurtherAdapter if number else ManagedAdapter
        parts.append(kind(manager, number, evictions, shared))
    parts[0].parts = tuple(parts)
    return parts[0]


def _policy(config: L2AdapterConfigBase) -> str | None:
    return None if config.eviction_config is None else str(config.eviction_config.eviction_policy)


def l1_bytes(workload: Workload, *, has_serde: bool) -> int:
    """Return what a round needs of L1: its keys and, with a serde, their serialized form.

    Args:
        workload: Gives the size of a round and the alignment of each key.
        has_serde: Whether there is a serde, whose buffers LMCache takes from L1.
    """
    align = workload.l1_align_bytes
    key_bytes = -(-workload.data_size_bytes // align) * align
    serialized = key_bytes + align if has_serde else 0  # encryption adds a header
    return workload.keys_per_round * (key_bytes + serialized)


def _manager_config(
    configs: Sequence[L2AdapterConfigBase], size_bytes: int, align_bytes: int
) -> StorageManagerConfig:
    memory = L1MemoryManagerConfig(
        size_in_bytes=size_bytes,
        use_lazy=False,
        init_size_in_bytes=size_bytes,
        align_bytes=align_bytes,
        shm_name="",
    )
    return StorageManagerConfig(
        l1_manager_config=L1ManagerConfig(memory_config=memory),
        eviction_config=EvictionConfig(eviction_policy="noop"),
        l2_adapter_config=L2AdaptersConfig(list(configs)),
    )
