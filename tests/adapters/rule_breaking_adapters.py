"""Adapters that break one rule of LMCache's ``L2AdapterInterface`` each. LMCache itself is real.

They keep their data as the ``fs`` adapter does. A rule is broken for the submits that ``FAULT_AT`` names, as
in ``faulty_adapters.py``. Where the rule is not one of submits, the calls of the method are counted instead.
"""

from __future__ import annotations

import os
from typing import Any

from faulty_adapters import _Faulty, _Losing
from lmcache.lmcache_native import Bitmap
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.distributed.l2_adapters.fs_l2_adapter import FSL2AdapterConfig

__all__ = ["FSL2AdapterConfig"]


class _BadResults(_Faulty):
    """Base of adapters with another result for the tasks of faulty submits."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._bad: dict[int, int] = {}  # task ids, and the number of their keys

    def _mark(self, task_id: int, keys: Any) -> int:
        if self._is_faulty_submit():
            self._bad[task_id] = len(keys)
        return task_id

    def _changed(self, task_id: int, result: Any) -> Any:
        num_keys = self._bad.get(task_id)
        return result if result is None or num_keys is None else self.bad_result(result, num_keys)

    def bad_result(self, result: Any, num_keys: int) -> Any:
        """Return what the adapter returns instead."""
        raise NotImplementedError


class _BadStoreResults(_BadResults):
    def submit_store_task(self, keys: Any, objects: Any) -> Any:
        return self._mark(super().submit_store_task(keys, objects), keys)

    def pop_completed_store_tasks(self) -> Any:
        completed = super().pop_completed_store_tasks()
        return {task_id: self._changed(task_id, result) for task_id, result in completed.items()}


class _BadLookupResults(_BadResults):
    def submit_lookup_and_lock_task(self, keys: Any, group_layout_descs: Any) -> Any:
        return self._mark(super().submit_lookup_and_lock_task(keys, group_layout_descs), keys)

    def query_lookup_and_lock_result(self, task_id: int) -> Any:
        return self._changed(task_id, super().query_lookup_and_lock_result(task_id))


class _BadLoadResults(_BadResults):
    def submit_load_task(self, keys: Any, objects: Any) -> Any:
        return self._mark(super().submit_load_task(keys, objects), keys)

    def query_load_result(self, task_id: int) -> Any:
        return self._changed(task_id, super().query_load_result(task_id))


# Bitmaps


class _Doubled(_BadResults):
    def bad_result(self, result: Any, num_keys: int) -> Any:
        return Bitmap(2 * num_keys, 2 * num_keys)


class DoubledLoad(_Doubled, _BadLoadResults):
    """Reports twice as many loaded keys as it was asked for."""


class DoubledLookup(_Doubled, _BadLookupResults):
    """Reports twice as many found keys as it was asked for."""


class ShiftedLoad(_BadLoadResults):
    """Reports half of the keys, and as many bits behind them."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        bitmap = Bitmap(2 * num_keys)
        bitmap.batched_set(list(range(num_keys // 2, num_keys + num_keys // 2)))
        return bitmap


class RoundedUpLoad(_BadLoadResults):
    """Returns bitmaps of whole bytes, without bits behind the keys."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return Bitmap(8, num_keys)


class ShortLoad(_BadLoadResults):
    """Returns a bitmap of one bit."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return Bitmap(1, 1)


class EmptyLookup(_BadLookupResults):
    """Returns a bitmap without bits."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return Bitmap(0)


class ListLoad(_BadLoadResults):
    """Returns a list of positions."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return list(range(num_keys))


class NumberLookup(_BadLookupResults):
    """Returns the number of keys that it found."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return num_keys


# Results of stores


class _Result:
    def __init__(self, moved: Any) -> None:
        self._moved = moved

    def is_successful(self) -> bool:
        return True

    def bytes_transferred(self) -> Any:
        if self._moved is None:
            raise RuntimeError("the counter is broken")
        return self._moved


class TooMuchStore(_BadStoreResults):
    """Reports one byte more than the payload."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return L2StoreResult(True, result.bytes_transferred() + 1)


class NegativeStore(_BadStoreResults):
    """Reports a negative number of bytes, and success."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return _Result(-4096)


class FloatStore(_BadStoreResults):
    """Reports its bytes as a float."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return _Result(float(result.bytes_transferred()))


class TrueStore(_BadStoreResults):
    """Returns True instead of a result."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return True


class UnreadableStore(_BadStoreResults):
    """Returns a result that raises an error when it is read."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return _Result(None)


class HalfStore(_BadStoreResults):
    """Reports that half of the bytes were moved, and success: no broken rule, but too little."""

    def bad_result(self, result: Any, num_keys: int) -> Any:
        return L2StoreResult(True, result.bytes_transferred() // 2)


class UnknownTask(_Faulty):
    """Returns the result of a task that was never submitted."""

    def pop_completed_store_tasks(self) -> Any:
        completed = super().pop_completed_store_tasks()
        if completed and self._is_faulty_submit():
            completed[10**9] = L2StoreResult(True, 2**30)
        return completed


class RepeatedTask(_Losing):
    """Returns the result of an earlier task again."""

    _earlier: Any = None

    def pop_completed_store_tasks(self) -> Any:
        completed = super().pop_completed_store_tasks()
        if completed and self._is_faulty_submit():
            completed |= self._earlier
        self._earlier = completed
        return completed


# Task ids


class TextId(_Faulty):
    """Returns a text as the task id."""

    def submit_store_task(self, keys: Any, objects: Any) -> Any:
        task_id = super().submit_store_task(keys, objects)
        return str(task_id) if self._is_faulty_submit() else task_id


class NoId(_Faulty):
    """Returns no task id."""

    def submit_load_task(self, keys: Any, objects: Any) -> Any:
        task_id = super().submit_load_task(keys, objects)
        return None if self._is_faulty_submit() else task_id


class NoLookupId(_Faulty):
    """Returns no task id for a lookup."""

    def submit_lookup_and_lock_task(self, keys: Any, group_layout_descs: Any) -> Any:
        task_id = super().submit_lookup_and_lock_task(keys, group_layout_descs)
        return None if self._is_faulty_submit() else task_id


class SharedId(_Losing):
    """Returns the task id of the submit before."""

    def submit_store_task(self, keys: Any, objects: Any) -> Any:
        task_id = super().submit_store_task(keys, objects)
        return task_id - 1 if self._is_faulty_submit() else task_id


class OldId(_Faulty):
    """Numbers the tasks of each load round from 0, by the number of submits in flight, which is 2."""

    def submit_load_task(self, keys: Any, objects: Any) -> Any:
        self._real = getattr(self, "_real", {})
        slot = len(self._real) % 2
        self._real[slot, len(self._real)] = super().submit_load_task(keys, objects)
        return slot

    def query_load_result(self, task_id: int) -> Any:
        newest = max(number for slot, number in self._real if slot == task_id)
        return super().query_load_result(self._real[task_id, newest])


class IdsBySize(_Faulty):
    """Numbers lookups from 0 for each number of keys, so that two checks of a store get the same id."""

    def __init__(self, config: FSL2AdapterConfig, l1_memory_desc: Any = None) -> None:
        super().__init__(config, l1_memory_desc)
        self._lookups: dict[int, int] = {}  # by number of keys
        self._real: dict[int, int] = {}

    def submit_lookup_and_lock_task(self, keys: Any, group_layout_descs: Any) -> Any:
        own_id = self._lookups.get(len(keys), 0)
        self._lookups[len(keys)] = own_id + 1
        self._real[own_id] = super().submit_lookup_and_lock_task(keys, group_layout_descs)
        return own_id

    def query_lookup_and_lock_result(self, task_id: int) -> Any:
        return super().query_lookup_and_lock_result(self._real[task_id])


# Exceptions


class RaisingLoad(_Faulty):
    """Raises an error in a load."""

    def submit_load_task(self, keys: Any, objects: Any) -> Any:
        if self._is_faulty_submit():
            raise ValueError("no such key")
        return super().submit_load_task(keys, objects)


class RaisingLookup(_Faulty):
    """Raises an error in a lookup."""

    def submit_lookup_and_lock_task(self, keys: Any, group_layout_descs: Any) -> Any:
        if self._is_faulty_submit():
            raise ConnectionError("the server is down")
        return super().submit_lookup_and_lock_task(keys, group_layout_descs)


class RaisingUnlock(_Faulty):
    """Raises an error in an unlock."""

    def submit_unlock(self, keys: Any) -> None:
        if self._is_faulty_submit():
            raise PermissionError("not locked by you")


class RaisingPop(_Losing):
    """Raises an error when the results of stores are collected, and keeps them."""

    def pop_completed_store_tasks(self) -> Any:
        if self._is_faulty_submit():
            raise RuntimeError("try again")
        return super().pop_completed_store_tasks()


class LosingPop(_Losing):
    """Collects the results of stores, loses them, and raises an error."""

    def pop_completed_store_tasks(self) -> Any:
        completed = super().pop_completed_store_tasks()
        if self._is_faulty_submit():
            raise RuntimeError("lost")
        return completed


class ListPop(_Losing):
    """Returns a list of results."""

    def pop_completed_store_tasks(self) -> Any:
        if self._is_faulty_submit():
            return [L2StoreResult(True, 2**19)]
        return super().pop_completed_store_tasks()


class RaisingQuery(_BadLoadResults, _Losing):
    """Raises an error when the result of a load is queried for the first time."""

    def query_load_result(self, task_id: int) -> Any:
        if self._bad.pop(task_id, None) is not None:
            raise KeyError(task_id)
        return super().query_load_result(task_id)


class NeverAnsweringQuery(_BadLoadResults, _Losing):
    """Raises an error whenever the result of a load is queried."""

    def query_load_result(self, task_id: int) -> Any:
        if task_id in self._bad:
            raise KeyError(task_id)
        return super().query_load_result(task_id)


class ClosedEvent(_Losing):
    """Closes its event descriptor in a load."""

    def submit_load_task(self, keys: Any, objects: Any) -> Any:
        if self._is_faulty_submit():
            os.close(self.get_load_event_fd())
        return super().submit_load_task(keys, objects)


class NoEvent(_Faulty):
    """Has no event descriptor for loads."""

    def get_load_event_fd(self) -> int:
        raise OSError("too many open files")


class BlockingStore(_Faulty):
    """Stores in the thread that submits: keeps every rule, and blocks."""

    def submit_store_task(self, keys: Any, objects: Any) -> Any:
        task_id = super().submit_store_task(keys, objects)
        while task_id not in self._completed_store_tasks:
            os.sched_yield()
        return task_id
