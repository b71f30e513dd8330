"""Store, lookup and load with one interface: submit, collect completed tasks, count the keys and bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface
from lmcache.v1.memory_management import MemoryObj

from l2sweep.bench.adapter.contract import (
    ContractError,
    moved_bytes,
    raised_rule,
    reported_key_bytes,
    set_positions,
    shortfall,
)
from l2sweep.bench.adapter.create import lookup_arguments


@dataclass(frozen=True)
class Submit:
    """The keys of one submit, and their memory.

    Attributes:
        indices: Key indices.
        keys: LMCache's keys of these indices.
        objects: One memory object per key; empty for lookups.
    """

    indices: list[int]
    keys: list[ObjectKey]
    objects: list[MemoryObj]


@dataclass(frozen=True)
class Completion:
    """The result of a submit.

    Attributes:
        keys_ok: Number of keys that were moved or found.
        bytes_ok: Bytes that were moved.
        ok_positions: Positions in the submit of the keys that were found or loaded; None for stores, whose
            result is only a number of bytes. Empty if the result breaks a rule.
        failed: Whether the adapter reports the whole submit as failed.
        broken_rule: The rule of the adapter's interface that the result breaks. It then counts no key and no
            byte. Empty if it breaks none.
        shortfall: What a store that reports success moved instead of all its keys; empty otherwise.
        stored_bytes: Bytes that L2 reports for the stored keys; None without a storage manager.
        evicted_keys: Keys that a load did not move because LMCache had evicted them, or one before them;
            None without a storage manager.
        loaded_from: Keys that a load moved from each L2 adapter; empty if there is only one.
    """

    keys_ok: int
    bytes_ok: int
    ok_positions: list[int] | None
    failed: bool = False
    broken_rule: str = ""
    shortfall: str = ""
    stored_bytes: int | None = None
    evicted_keys: int | None = None
    loaded_from: tuple[int, ...] = ()

    @classmethod
    def broken(cls, rule: str) -> Completion:
        """Return the completion of a submit that broke a rule."""
        return cls(0, 0, [], broken_rule=rule)


class Verb(ABC):
    """One of the three verbs of an adapter: store, lookup or load.

    Args:
        adapter: The adapter.
        data_size_bytes: Payload of a key.
    """

    name: str
    submit_call: str
    drain_call: str
    release_call = "submit_unlock"
    moves_payload = True
    moves_in_place = True
    """Whether the payload is in the memory of the submit as soon as the submit completes."""

    def __init__(self, adapter: L2AdapterInterface, data_size_bytes: int) -> None:
        self._adapter = adapter
        self._data_size_bytes = data_size_bytes

    @property
    @abstractmethod
    def event_fd(self) -> int:
        """Descriptor that becomes readable on a completion.

        One signal may stand for several tasks, or for a task of another round.
        """

    def prepare(self, submits: Sequence[Submit]) -> None:
        """Prepare a round just before its clock starts. An adapter alone needs nothing.

        Args:
            submits: The submits of the round.

        Raises:
            BenchError: The round cannot run.
        """
        return

    @abstractmethod
    def submit(self, submit: Submit) -> int:
        """Pass a submit to the adapter, and return what it returns as the task id."""

    @abstractmethod
    def drain(self, task_ids: Collection[int]) -> Iterable[tuple[int, Any]]:
        """Collect the raw results of tasks that have completed.

        Args:
            task_ids: The tasks that are waited for.

        Returns:
            Task ids and raw results, one after another, so that an exception loses none before it. Results
            of tasks that are not waited for are included if the adapter returns any.
        """

    @abstractmethod
    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Convert a raw result.

        Raises:
            ContractError: It breaks a rule of the adapter's interface.
        """

    def settle(self, submit: Submit, raw: Any) -> Completion:
        """Convert a raw result and release the submit. What breaks a rule counts no key and no byte."""
        try:
            completion = self.completion(submit, raw)
        except Exception as raised:
            return Completion.broken(raised_rule("reading the result", raised))
        try:
            self.release(submit, completion)
        except Exception as raised:
            return Completion.broken(raised_rule(self.release_call, raised))
        return completion

    def release(self, submit: Submit, completion: Completion) -> None:
        """Release what a completed submit holds in the adapter. Only a lookup holds something."""
        return

    def _from_bitmap(self, submit: Submit, bitmap: Any) -> Completion:
        positions = set_positions(bitmap, len(submit.keys))
        moved = len(positions) * self._data_size_bytes if self.moves_payload else 0
        return Completion(len(positions), moved, positions)


class Store(Verb):
    """``submit_store_task``. Its success is the number of bytes in LMCache's ``L2StoreResult``."""

    name = "store"
    submit_call = "submit_store_task"
    drain_call = "pop_completed_store_tasks"

    def __init__(self, adapter: L2AdapterInterface, data_size_bytes: int) -> None:
        super().__init__(adapter, data_size_bytes)
        self._reported_key_bytes = reported_key_bytes(adapter, data_size_bytes)

    @property
    def event_fd(self) -> int:
        """Descriptor that becomes readable when a store completes."""
        return self._adapter.get_store_event_fd()  # type: ignore[no-any-return, unused-ignore]

    def submit(self, submit: Submit) -> int:
        """Pass keys and their payload to the adapter."""
        return self._adapter.submit_store_task(submit.keys, submit.objects)  # type: ignore[no-any-return, unused-ignore]

    def drain(self, task_ids: Collection[int]) -> Iterable[tuple[int, Any]]:
        """Collect the raw results of all tasks that have completed."""
        completed = self._adapter.pop_completed_store_tasks()
        if not isinstance(completed, dict):
            raise ContractError(f"{self.drain_call} returned type {type(completed).__name__}, not dict")
        return completed.items()

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count the whole keys in the bytes that were moved."""
        num_keys = len(submit.keys)
        requested = num_keys * self._data_size_bytes
        moved = moved_bytes(raw, num_keys * self._reported_key_bytes)
        if self._reported_key_bytes != self._data_size_bytes:
            slots, rest = divmod(moved, self._reported_key_bytes)
            if rest:
                raise ContractError(f"bytes_transferred is {moved}, which is no multiple of slot_bytes")
            moved = slots * self._data_size_bytes
        failed = not raw.is_successful()
        return Completion(
            keys_ok=moved // self._data_size_bytes,
            bytes_ok=moved,
            ok_positions=None,
            failed=failed,
            shortfall="" if failed else shortfall(moved, requested),
        )


class Lookup(Verb):
    """``submit_lookup_and_lock_task``. Each key that it locks is unlocked afterwards."""

    name = "lookup"
    submit_call = "submit_lookup_and_lock_task"
    drain_call = "query_lookup_and_lock_result"
    moves_payload = False

    def __init__(self, adapter: L2AdapterInterface, data_size_bytes: int) -> None:
        super().__init__(adapter, data_size_bytes)
        self._arguments = lookup_arguments(adapter, data_size_bytes)

    @property
    def event_fd(self) -> int:
        """Descriptor that becomes readable when a lookup completes."""
        return self._adapter.get_lookup_and_lock_event_fd()  # type: ignore[no-any-return, unused-ignore]

    def submit(self, submit: Submit) -> int:
        """Look up the keys."""
        return self._adapter.submit_lookup_and_lock_task(submit.keys, *self._arguments)  # type: ignore[no-any-return, unused-ignore]

    def drain(self, task_ids: Collection[int]) -> Iterable[tuple[int, Any]]:
        """Collect the raw results of the tasks that have completed."""
        return _query(self._adapter.query_lookup_and_lock_result, task_ids)

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count the keys that were found."""
        return self._from_bitmap(submit, raw)

    def release(self, submit: Submit, completion: Completion) -> None:
        """Unlock the keys that were found."""
        if completion.ok_positions:
            self._adapter.submit_unlock([submit.keys[position] for position in completion.ok_positions])


class Load(Verb):
    """``submit_load_task``. Its success is the keys whose bit is set."""

    name = "load"
    submit_call = "submit_load_task"
    drain_call = "query_load_result"

    @property
    def event_fd(self) -> int:
        """Descriptor that becomes readable when a load completes."""
        return self._adapter.get_load_event_fd()  # type: ignore[no-any-return, unused-ignore]

    def submit(self, submit: Submit) -> int:
        """Pass keys and the memory for their payload to the adapter."""
        return self._adapter.submit_load_task(submit.keys, submit.objects)  # type: ignore[no-any-return, unused-ignore]

    def drain(self, task_ids: Collection[int]) -> Iterable[tuple[int, Any]]:
        """Collect the raw results of the tasks that have completed."""
        return _query(self._adapter.query_load_result, task_ids)

    def completion(self, submit: Submit, raw: Any) -> Completion:
        """Count the keys that were loaded."""
        return self._from_bitmap(submit, raw)


VERBS: dict[str, type[Verb]] = {kind.name: kind for kind in (Store, Lookup, Load)}


def verb_of(name: str, adapter: L2AdapterInterface, data_size_bytes: int) -> Verb:
    """Return a verb of an adapter. The storage manager, in the place of an adapter, has verbs of its own.

    Args:
        name: store, lookup or load.
        adapter: The adapter.
        data_size_bytes: Payload of a key.
    """
    kinds: Mapping[str, type[Verb]] = getattr(adapter, "own_verbs", VERBS)
    return kinds[name](adapter, data_size_bytes)


def _query(query: Callable[[int], Any], task_ids: Collection[int]) -> Iterator[tuple[int, Any]]:
    for task_id in task_ids:  # one pass: this runs between a completion and the reading of the clock
        raw = query(task_id)
        if raw is not None:
            yield task_id, raw
