"""Notice when the store controller of LMCache has finished the stores of a submit, and what L2 got.

The store controller takes all pending keys of a ``(model, kv_rank)`` into one task of the adapter, whatever
the submits were (``StoreController._process_new_keys``). A submit is complete when the tasks of all its keys
are, in every L2 adapter. The controller then releases the keys in L1. Two sources tell what happened:

- The results that the controller collects from the adapter. Its calls are observed, because LMCache reports
  a failed store to nobody but its own log.
- ``on_l2_keys_stored`` of ``L2AdapterListener``: the bytes of each key that L2 really has. Some adapters call
  it just after their result can be collected.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.internal_api import L2AdapterListener
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

# Between the result of a task and its notification there are a few lines of the adapter. Not measured: a
# choice between a busy machine and a delay of each round of an adapter that never notifies.
_NOTIFICATION_S = 1.0
_PAUSE_S = 0.001

_Part = tuple[int, ObjectKey]
"""A key in one of the adapters, by the number of the adapter."""


@dataclass(frozen=True)
class ManagedStore:
    """What became of the keys of a submit.

    Attributes:
        stored: For each key that every L2 adapter stored, the bytes that each of them has.
        failed_keys: Number of keys in tasks that an adapter reports as failed.
    """

    stored: dict[ObjectKey, tuple[int, ...]]
    failed_keys: int


@dataclass
class _Submit:
    keys: Sequence[ObjectKey]
    waiting: set[_Part]
    results: dict[_Part, int | None] = field(default_factory=dict)
    """Bytes of a key by the result of its task in an adapter; None if that task failed."""


class StoreWatch:
    """The stores of submits, by their number.

    Args:
        adapters: The adapters that the store controller calls, each with all keys (``DefaultStorePolicy``).
            Two of their methods are replaced by ones that call them and keep what they get and return.
    """

    def __init__(self, adapters: Sequence[L2AdapterInterface]) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._submits: dict[int, _Submit] = {}
        self._submit_of_key: dict[ObjectKey, int] = {}
        self._completed: list[int] = []
        self._number = 0
        self._adapters = [_Watched(self, number, adapter) for number, adapter in enumerate(adapters)]

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a submit completes."""
        return self._descriptor

    def expect(self, keys: Sequence[ObjectKey]) -> int:
        """Expect the stores of a submit, just before the storage manager gets its keys.

        Returns:
            The number of the submit.
        """
        with self._lock:
            self._number += 1
            parts = {(one.number, key) for one in self._adapters for key in keys}
            self._submits[self._number] = _Submit(keys, parts)
            self._submit_of_key.update(dict.fromkeys(keys, self._number))
            return self._number

    def pop_completed(self) -> dict[int, int]:
        """Return the numbers of the submits that have completed, each once, as keys and values."""
        with self._lock:
            completed, self._completed = self._completed, []
        return {number: number for number in completed}

    def result_of(self, number: int) -> ManagedStore:
        """Return what became of a completed submit, once. It may wait for the last notifications of L2.

        Args:
            number: Of the submit.
        """
        with self._lock:
            submit = self._submits.pop(number)
        sizes: list[dict[ObjectKey, int]] = []
        failed: set[ObjectKey] = set()
        for adapter in self._adapters:
            results = {key: submit.results.get((adapter.number, key)) for key in submit.keys}
            done = {key: size for key, size in results.items() if size is not None}
            failed.update(key for key in submit.keys if key not in done)
            sizes.append(adapter.take_notified(done))
        with self._lock:
            for key in submit.keys:
                self._submit_of_key.pop(key, None)
        everywhere = [key for key in submit.keys if all(key in of_adapter for of_adapter in sizes)]
        return ManagedStore(
            {key: tuple(of_adapter[key] for of_adapter in sizes) for key in everywhere}, len(failed)
        )

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def is_expected(self, key: ObjectKey) -> bool:
        """Return whether a key belongs to a submit whose result has not been taken."""
        with self._lock:
            return key in self._submit_of_key

    def finish(self, number: int, keys: Sequence[ObjectKey], bytes_of_key: int | None) -> None:
        """Note the end of a task of an adapter.

        Args:
            number: Number of the adapter.
            keys: The keys of the task.
            bytes_of_key: Bytes of each key by its result; None if it failed.
        """
        completed = False
        with self._lock:
            for key in keys:
                submit_number = self._submit_of_key.get(key, 0)
                submit = self._submits.get(submit_number)
                if submit is None or (number, key) not in submit.waiting:
                    continue
                submit.results[number, key] = bytes_of_key
                submit.waiting.remove((number, key))
                if not submit.waiting:
                    self._completed.append(submit_number)
                    completed = True
        if completed:
            os.eventfd_write(self._descriptor, 1)


class _Watched(L2AdapterListener):  # type: ignore[misc, unused-ignore]
    """One adapter that the store controller calls.

    Args:
        watch: The watch of all adapters.
        number: Number of the adapter, from 0.
        adapter: The adapter.
    """

    def __init__(self, watch: StoreWatch, number: int, adapter: L2AdapterInterface) -> None:
        self.number = number
        self._watch = watch
        self._lock = threading.Lock()
        self._keys_of_task: dict[int, list[ObjectKey]] = {}
        self._notified: dict[ObjectKey, int] = {}
        self._notifies: bool | None = None  # None: not known yet
        self._submit_task = adapter.submit_store_task
        self._pop_tasks = adapter.pop_completed_store_tasks
        observed: Any = adapter
        observed.submit_store_task = self._observed_submit
        observed.pop_completed_store_tasks = self._observed_pop
        adapter.register_listener(self)

    def take_notified(self, results: Mapping[ObjectKey, int]) -> dict[ObjectKey, int]:
        """Return the bytes that L2 notified for keys, once. It may wait for the last notifications.

        Args:
            results: The keys of successful tasks, with their bytes by the results.
        """
        self._wait_for(results)
        if self._notifies is False:  # its result is all that it reports
            return {key: size for key, size in results.items() if size}
        with self._lock:
            return {key: self._notified.pop(key) for key in results if key in self._notified}

    def on_l2_keys_stored(self, keys: list[ObjectKey], sizes: list[int]) -> None:
        """Keep the bytes of the stored keys of submits."""
        self._notifies = True
        sizes_of_submits = {
            key: size for key, size in zip(keys, sizes, strict=True) if self._watch.is_expected(key)
        }
        with self._lock:
            self._notified.update(sizes_of_submits)

    def on_l2_keys_accessed(self, keys: list[ObjectKey]) -> None:
        """Ignore loads."""

    def on_l2_keys_deleted(self, keys: list[ObjectKey]) -> None:
        """Ignore deletions."""

    def _wait_for(self, keys: Collection[ObjectKey]) -> None:
        deadline = time.monotonic() + _NOTIFICATION_S
        while self._notifies is not False and not all(key in self._notified for key in keys):
            if time.monotonic() > deadline:
                self._notifies = bool(self._notifies)  # no key so far: it never notifies
                return
            time.sleep(_PAUSE_S)

    # The next two run in the thread of the store controller, within the clock.

    def _observed_submit(self, keys: list[ObjectKey], objects: list[Any]) -> int:
        try:
            task_id: int = self._submit_task(keys, objects)
        except Exception:
            self._watch.finish(self.number, keys, None)  # the controller logs it and goes on
            raise
        self._keys_of_task[task_id] = keys
        return task_id

    def _observed_pop(self) -> dict[int, Any]:
        completed: dict[int, Any] = self._pop_tasks()
        with contextlib.suppress(Exception):  # what breaks a rule fails its keys; the controller must go on
            for task_id, result in completed.items():
                keys = self._keys_of_task.pop(task_id, [])
                self._watch.finish(self.number, keys, _bytes_of_key(result, len(keys)))
        return completed


def _bytes_of_key(result: Any, num_keys: int) -> int | None:
    """Return the bytes of each key by the result of its task; None if the task failed."""
    try:
        return result.bytes_transferred() // max(1, num_keys) if result.is_successful() else None
    except Exception:
        return None
