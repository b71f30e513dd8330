"""The control as an adapter of LMCache, for the adapter type ``plugin``."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from lmcache.lmcache_native import Bitmap
from lmcache.logging import init_logger
from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.distributed.l2_adapters.config import L2AdapterConfigBase
from lmcache.v1.memory_management import MemoryObj
from numpy.typing import NDArray

from l2sweep.bench.control.completions import Completions
from l2sweep.bench.control.servers import BlockingServer, Servers
from l2sweep.bench.control.worker import Worker

# A name below "lmcache": l2sweep puts the last error of these loggers into the row of the round.
_logger = init_logger("lmcache.l2sweep_control")
# A look takes 20 microseconds, which is 0.4 % of a processor.
_LOOK_EVERY_S = 0.005


class ControlAdapterConfig(L2AdapterConfigBase):  # type: ignore[misc]
    """The fields of ``adapter_params``.

    Args:
        servers: Number of requests that are served at the same time. Without effect if ``synchronous``.
        service_ms: Milliseconds that a server needs for a request.
        synchronous: Whether a submit blocks the caller until the request completes.
    """

    def __init__(self, servers: int, service_ms: float, synchronous: bool = False) -> None:
        self.servers = servers
        self.service_ms = service_ms
        self.synchronous = synchronous

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> ControlAdapterConfig:
        """Read and check ``adapter_params``.

        Raises:
            ValueError: A field is missing, unknown or has a wrong value.
        """
        values = {"synchronous": False, **d}
        for name in values.keys() - {"servers", "service_ms", "synchronous"}:
            raise ValueError(f"adapter_params.{name}: must be servers, service_ms or synchronous")
        servers, service_ms = values.get("servers"), values.get("service_ms")
        if not isinstance(servers, int) or isinstance(servers, bool) or servers < 1:
            raise ValueError(f"adapter_params.servers={servers}: must be an integer from 1")
        if not isinstance(service_ms, (int, float)) or isinstance(service_ms, bool) or not service_ms > 0:
            raise ValueError(f"adapter_params.service_ms={service_ms}: must be a number above 0")
        if not isinstance(values["synchronous"], bool):
            raise ValueError(f"adapter_params.synchronous={values['synchronous']}: must be true or false")
        return cls(servers, service_ms, values["synchronous"])

    @classmethod
    def help(cls) -> str:
        """Return the fields with their meaning."""
        return (
            "- servers (int): requests that are served at the same time\n"
            "- service_ms (float): milliseconds that a server needs for a request\n"
            "- synchronous (bool): a submit blocks until the request completes (default false)"
        )


class ControlAdapter(L2AdapterInterface):  # type: ignore[misc]
    """Keep the data in memory, and complete each request when servers with a fixed service time would.

    The data are copied while the request waits or is served, by a thread, or inside the submit if
    ``synchronous``; only one server is in use then. A request whose copy is not finished in time fails, and
    the reason is logged. The kernel signals the completion at the planned moment (``completions.py``).

    There is no eviction, so the locks of a lookup have nothing to prevent and are not kept.

    Args:
        config: The servers.
        l1_memory_desc: LMCache's description of the L1 buffer; not used.
    """

    def __init__(self, config: ControlAdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__()
        self._service_s = config.service_ms / 1000
        self._synchronous = config.synchronous
        self._servers = Servers(config.servers, self._service_s)
        self._blocking_server = BlockingServer(self._service_s)
        self._data: dict[ObjectKey, NDArray[np.uint8]] = {}
        every_s = 0.0 if self._synchronous else self._service_s
        self._store, self._lookup, self._load = (Completions(every_s) for _ in range(3))
        self._lock = threading.Lock()
        self._task_ids = itertools.count()
        self._worker = (
            None if self._synchronous else Worker(min(self._service_s / 4, _LOOK_EVERY_S), self._rest)
        )

    def get_store_event_fd(self) -> int:
        """Return the descriptor that becomes readable when a store completes."""
        return int(self._store.fileno())

    def get_lookup_and_lock_event_fd(self) -> int:
        """Return the descriptor that becomes readable when a lookup completes."""
        return int(self._lookup.fileno())

    def get_load_event_fd(self) -> int:
        """Return the descriptor that becomes readable when a load completes."""
        return int(self._load.fileno())

    def submit_store_task(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> int:
        """Store a copy of the objects. Keys that are stored already are skipped, as in LMCache's adapters."""
        return self._submit(
            time.perf_counter(), self._store, lambda: self._copy_in(keys, objects), L2StoreResult(False, 0)
        )

    def pop_completed_store_tasks(self) -> dict[int, L2StoreResult]:
        """Return the results of all completed stores."""
        return self._store.take_all()

    def submit_lookup_and_lock_task(self, keys: list[ObjectKey], group_layout_descs: Any = None) -> int:
        """Look up the keys."""
        return self._submit(time.perf_counter(), self._lookup, lambda: self._found(keys), Bitmap(len(keys)))

    def query_lookup_and_lock_result(self, task_id: int) -> Bitmap | None:
        """Return the found keys of a completed lookup, once."""
        return self._lookup.take(task_id)

    def submit_unlock(self, keys: list[ObjectKey]) -> None:
        """Do nothing: there are no locks."""

    def get_memory_tags(self) -> Any:
        """Return the tags of ordinary memory; LMCache 0.5.7 and later ask for them."""
        from lmcache.v1.distributed.l2_adapters.mock_l2_adapter import MockL2Adapter

        return MockL2Adapter.get_memory_tags(self)

    def submit_load_task(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> int:
        """Copy stored data into the objects."""
        return self._submit(
            time.perf_counter(), self._load, lambda: self._copy_out(keys, objects), Bitmap(len(keys))
        )

    def query_load_result(self, task_id: int) -> Bitmap | None:
        """Return the loaded keys of a completed load, once."""
        return self._load.take(task_id)

    def delete(self, keys: list[ObjectKey]) -> None:
        """Delete the keys that are stored. This takes no service time."""
        deleted = {key: data.nbytes for key in keys if (data := self._data.pop(key, None)) is not None}
        if deleted:
            self._notify_keys_deleted(list(deleted), list(deleted.values()))

    def close(self) -> None:
        """Finish the copies of the submitted requests, end the thread, and close the event descriptors."""
        if self._worker is not None:
            self._worker.close()
        for completions in (self._store, self._lookup, self._load):
            completions.close()

    def _submit(
        self, arrival_s: float, completions: Completions, work: Callable[[], Any], failed: Any
    ) -> int:
        with self._lock:  # the order of arrival is the order of completion; a blocking server has one caller
            task_id = next(self._task_ids)
            if self._worker is not None:
                due_s = self._servers.completion_s(arrival_s)
                completions.expect(task_id, due_s)
                self._worker.put(lambda: completions.put(task_id, self._result(work, due_s, failed)))
                return task_id
            due_s = self._blocking_server.completion_s(arrival_s)
            completions.expect(task_id, due_s)
            completions.put(task_id, self._result(work, due_s, failed))
            completions.wait_until(due_s)
            self._blocking_server.returned(time.perf_counter())
            return task_id

    def _rest(self) -> None:
        for completions in (self._store, self._lookup, self._load):
            completions.rest()

    def _result(self, work: Callable[[], Any], due_s: float, failed: Any) -> Any:
        """Return the result of a request; that of a failed one if it raised, or was not finished when due."""
        try:
            result = work()
        except Exception:
            _logger.exception("a request of the control failed")
            return failed
        late_s = time.perf_counter() - due_s
        if late_s <= 0:
            return result
        _logger.error(
            "the control could not copy the data within the service time of %g ms: it was late by %.1f ms; "
            "use a larger service_ms, or fewer or smaller keys",
            self._service_s * 1000,
            late_s * 1000,
        )
        return failed

    def _copy_in(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> L2StoreResult:
        stored: dict[ObjectKey, int] = {}
        for key, memory in zip(keys, objects, strict=True):
            if key not in self._data:
                self._data[key] = _bytes_of(memory).copy()
                stored[key] = self._data[key].nbytes
        if stored:
            self._notify_keys_stored(list(stored), list(stored.values()))
        return L2StoreResult(True, sum(stored.values()))

    def _found(self, keys: list[ObjectKey]) -> Bitmap:
        found = Bitmap(len(keys))
        for position, key in enumerate(keys):
            if key in self._data:
                found.set(position)
        return found

    def _copy_out(self, keys: list[ObjectKey], objects: list[MemoryObj]) -> Bitmap:
        loaded = Bitmap(len(keys))
        for position, (key, memory) in enumerate(zip(keys, objects, strict=True)):
            data, target = self._data.get(key), _bytes_of(memory)
            if data is not None and data.nbytes == target.nbytes:
                np.copyto(target, data)
                loaded.set(position)
        return loaded


def _bytes_of(memory: MemoryObj) -> NDArray[np.uint8]:
    return np.frombuffer(memory.byte_array, dtype=np.uint8)
