"""The rules of LMCache's ``L2AdapterInterface``, checked on what an adapter returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lmcache.v1.distributed.l2_adapters.base import L2AdapterInterface

from l2sweep.errors import BenchError, shown

try:
    from lmcache.lmcache_native import Bitmap
except ImportError:  # LMCache before 0.5.4
    from lmcache.native_storage_ops import Bitmap  # type: ignore[import-not-found, no-redef, unused-ignore]

_UNITS = {"MiB": 2**20, "KiB": 2**10, "bytes": 1}
_MOST_SENTENCES = 3


class ContractError(BenchError):
    """An adapter broke a rule of its interface."""


class TaskIds:
    """The task ids of one verb of an adapter. Each submit must get a new one: results are collected by it."""

    def __init__(self) -> None:
        self._used: set[int] = set()

    def problem(self, task_id: Any) -> str:
        """Register a task id, and return the rule that it breaks; empty if it breaks none."""
        if not isinstance(task_id, int) or isinstance(task_id, bool):
            return f"the task id has type {type(task_id).__name__}, not int"
        if task_id in self._used:
            return f"task id {_shown(task_id)} was used before"
        self._used.add(task_id)
        return ""

    def unexpected(self, task_id: Any) -> str:
        """Return the rule that a result breaks whose task is not waited for."""
        if isinstance(task_id, int) and task_id in self._used:
            return f"a second result for task {_shown(task_id)}"
        return f"a result for task {_shown(task_id)}, which was never submitted"


class AdapterTaskIds:
    """The task ids that an adapter has returned since it was created.

    Each verb has its own: a result is collected with the method of its verb, and some adapters of LMCache
    0.5.6 number their verbs separately (``p2p`` its stores, ``SerdeL2AdapterWrapper`` its lookups).
    """

    def __init__(self) -> None:
        self._of_verb: dict[str, TaskIds] = {}

    def of(self, verb: str) -> TaskIds:
        """Return the task ids of a verb, in all phases and checks.

        Args:
            verb: store, lookup or load.
        """
        return self._of_verb.setdefault(verb, TaskIds())


def raised_rule(call: str, raised: Exception) -> str:
    """Return the rule that an exception breaks.

    Args:
        call: The method of the adapter that raised it.
        raised: The exception.
    """
    if isinstance(raised, ContractError):
        return str(raised)
    text = _shown(raised)
    return f"{call} raised {type(raised).__name__}" + (f": {text}" if text else "")


def in_one_line(sentences: Iterable[str]) -> str:
    """Return different sentences in one line: the first ones, and how many more there are."""
    different = list(dict.fromkeys(sentences))
    more = [f"and {len(different) - _MOST_SENTENCES} more"] if len(different) > _MOST_SENTENCES else []
    return "; ".join([*different[:_MOST_SENTENCES], *more])


def set_positions(bitmap: Any, num_keys: int) -> list[int]:
    """Return the positions of the set bits of a result.

    Args:
        bitmap: The result of a lookup or a load.
        num_keys: Number of keys of its submit.

    Raises:
        ContractError: It is no bitmap with one bit for each key.
    """
    if not isinstance(bitmap, Bitmap):
        raise ContractError(f"the result has type {type(bitmap).__name__}, not Bitmap")
    # The methods of LMCache's class itself: a subclass may have others. All releases print one character for
    # each bit, and only the later ones have a method for the number of bits.
    num_bits = len(Bitmap.__repr__(bitmap))
    if num_bits != num_keys:
        raise ContractError(f"the bitmap has {num_bits} bit{'s' * (num_bits != 1)} for {num_keys} keys")
    return [int(position) for position in Bitmap.get_indices_list(bitmap)]


def moved_bytes(result: Any, most_bytes: int) -> int:
    """Return the bytes that a store reports as moved; 0 if it failed.

    Args:
        result: The result of a store.
        most_bytes: The most bytes that the submit can move.

    Raises:
        ContractError: It is no result of a store, or the number of bytes is impossible.
    """
    kind = type(result).__name__
    if not hasattr(result, "bytes_transferred") or not hasattr(result, "is_successful"):
        raise ContractError(f"the result has type {kind}, not L2StoreResult")
    moved = result.bytes_transferred()
    if not isinstance(moved, int) or isinstance(moved, bool):
        raise ContractError(f"bytes_transferred has type {type(moved).__name__}, not int")
    if moved < 0:
        raise ContractError(f"bytes_transferred is negative: {_shown(moved)}")
    if moved and not result.is_successful():
        raise ContractError(f"bytes_transferred is {_shown(moved)}, but the store failed")
    if moved > most_bytes:
        raise ContractError(f"bytes_transferred is {_shown(moved)} for a payload of {most_bytes} bytes")
    return moved


def reported_key_bytes(adapter: L2AdapterInterface, data_size_bytes: int) -> int:
    """Return the bytes that an adapter of LMCache reports for each stored key.

    ``dax`` and ``raw_block`` keep a key in a slot of a fixed size, and report ``slot_bytes`` whatever the
    payload is. All others report the payload.

    Args:
        adapter: The adapter.
        data_size_bytes: Payload of a key.
    """
    inner = getattr(adapter, "_inner", adapter)  # fault_inject passes every call to its inner adapter
    holders = {"DaxL2Adapter": "_config", "RawBlockL2Adapter": "_core"}
    holder = getattr(inner, holders.get(type(inner).__name__, ""), None)
    return max(data_size_bytes, int(getattr(holder, "slot_bytes", data_size_bytes)))


def shortfall(moved: int, requested: int) -> str:
    """Return what a store that reports success moved instead of all its keys; empty if it moved all.

    Args:
        moved: Payload of the keys that it moved.
        requested: Payload of its keys.
    """
    if moved == requested:
        return ""
    if not moved:
        return (
            "LMCache reports success without moving the others, "
            "as it does for keys that are already stored or do not fit"
        )
    unit = next(name for name, size in _UNITS.items() if moved % size == requested % size == 0)
    return f"LMCache reports success with {moved // _UNITS[unit]} of {requested // _UNITS[unit]} {unit} moved"


def _shown(value: Any) -> str:
    try:
        return shown(value)
    except Exception:  # an int of more than 4300 digits, or an object that cannot be printed
        return f"({type(value).__name__} object)"
