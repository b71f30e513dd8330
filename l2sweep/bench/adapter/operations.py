"""Store, lookup and load behind one shape: submit, drain what completed, count what moved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.memory_management import MemoryObj

from l2sweep.bench.adapter.create import lookup_arguments


@dataclass(frozen=True)
class Submit:
    """The keys of one submit and the memory that goes with them.

    Attributes:
        indices: Key indices.
        keys: LMCache's keys for them.
        objects: One memory object a key; empty for lookups.
    """

    indices: list[int]
    keys: list[ObjectKey]
    objects: list[MemoryObj]


@dataclass(frozen=True)
class Completion:
    """How a submit ended.

    Attributes:
        keys_ok: Keys that were moved or found.
        bytes_ok: Bytes that were moved.
        ok_positions: Positions in the submit of the keys that were found or loaded; None where the
            adapter does not tell them apart.
        failed: The adapter reports the whole submit as failed.
    """

    keys_ok: int
    bytes_ok: int
    ok_positions: list[int] | None
    failed: bool = False


class Operation(ABC):
    """One of the three verbs of an adapter.

    Args:
        adapter: The adapter.
        data_size_bytes: Payload of a key.
    """

    name: str
    moves_payload = True

    def __init__(self, adapter: L2AdapterInterface, data_size_bytes: int) -> None:
        self._adapter = adapter
        self._data_size_bytes = data_size_bytes

    @property
    @abstractmethod
    def event_fd(self) -> int:
        """What becomes readable when something completed: perhaps several, perhaps another round's."""

    @abstractmethod
    def submit(self, submit: Submit) -> int:
        """Hand a submit to the adapter and return its task id."""

    @abstractmethod
    def drain(self, task_ids: Collection[int]) -> dict[int, Any]:
        """Return the raw results of those of the tasks that have completed; others' are dropped."""

    @abstractmethod
    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Say what a raw result means."""

    def release(self, submit: Submit, completion: Completion) -> None:
        """Give back what a completed submit holds in the adapter; nothing but for lookups."""
        return

    def _from_bitmap(self, bitmap: Any) -> Completion:
        positions = [int(position) for position in bitmap.get_indices_list()]
        moved = len(positions) * self._data_size_bytes if self.moves_payload else 0
        return Completion(len(positions), moved, positions)


class Store(Operation):
    """``submit_store_task``; success is the bytes that LMCache's ``L2StoreResult`` says were moved."""

    name = "store"

    @property
    def event_fd(self) -> int:
        """Readable when a store completed."""
        return self._adapter.get_store_event_fd()  # type: ignore[no-any-return, unused-ignore]

    def submit(self, submit: Submit) -> int:
        """Hand keys and their payload to the adapter."""
        return self._adapter.submit_store_task(submit.keys, submit.objects)  # type: ignore[no-any-return, unused-ignore]

    def drain(self, task_ids: Collection[int]) -> dict[int, Any]:
        """Return the completed stores among the tasks."""
        completed = self._adapter.pop_completed_store_tasks()
        return {task_id: result for task_id, result in completed.items() if task_id in task_ids}

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count whole keys in the bytes that were moved."""
        moved = raw.bytes_transferred()
        return Completion(
            keys_ok=min(len(submit.keys), moved // self._data_size_bytes),
            bytes_ok=min(len(submit.keys) * self._data_size_bytes, moved),
            ok_positions=None,
            failed=not raw.is_successful(),
        )


class Lookup(Operation):
    """``submit_lookup_and_lock_task``; every key that it locked is unlocked again."""

    name = "lookup"
    moves_payload = False

    def __init__(self, adapter: L2AdapterInterface, data_size_bytes: int) -> None:
        super().__init__(adapter, data_size_bytes)
        self._arguments = lookup_arguments(adapter, data_size_bytes)

    @property
    def event_fd(self) -> int:
        """Readable when a lookup completed."""
        return self._adapter.get_lookup_and_lock_event_fd()  # type: ignore[no-any-return, unused-ignore]

    def submit(self, submit: Submit) -> int:
        """Ask for the keys."""
        return self._adapter.submit_lookup_and_lock_task(submit.keys, *self._arguments)  # type: ignore[no-any-return, unused-ignore]

    def drain(self, task_ids: Collection[int]) -> dict[int, Any]:
        """Return the completed lookups among the tasks."""
        return _query(self._adapter.query_lookup_and_lock_result, task_ids)

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count the keys that were found."""
        return self._from_bitmap(raw)

    def release(self, submit: Submit, completion: Completion) -> None:
        """Unlock the keys that were found."""
        if completion.ok_positions:
            self._adapter.submit_unlock([submit.keys[position] for position in completion.ok_positions])


class Load(Operation):
    """``submit_load_task``; success is the keys whose bit is set."""

    name = "load"

    @property
    def event_fd(self) -> int:
        """Readable when a load completed."""
        return self._adapter.get_load_event_fd()  # type: ignore[no-any-return, unused-ignore]

    def submit(self, submit: Submit) -> int:
        """Hand keys and the memory for their payload to the adapter."""
        return self._adapter.submit_load_task(submit.keys, submit.objects)  # type: ignore[no-any-return, unused-ignore]

    def drain(self, task_ids: Collection[int]) -> dict[int, Any]:
        """Return the completed loads among the tasks."""
        return _query(self._adapter.query_load_result, task_ids)

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count the keys that were loaded."""
        return self._from_bitmap(raw)


OPERATIONS: dict[str, type[Operation]] = {kind.name: kind for kind in (Store, Lookup, Load)}


def _query(query: Callable[[int], Any], task_ids: Collection[int]) -> dict[int, Any]:
    results = {}
    for task_id in task_ids:  # one pass: this runs between a completion and the clock
        raw = query(task_id)
        if raw is not None:
            results[task_id] = raw
    return results
