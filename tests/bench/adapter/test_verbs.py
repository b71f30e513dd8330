"""The three verbs, with LMCache's real mock and fs adapters."""

from __future__ import annotations

import select
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lmcache.lmcache_native import Bitmap
from lmcache.v1.distributed.internal_api import L2StoreResult
from lmcache.v1.platform import consume_fd
from small_job import KEY_BYTES, fs_spec, mock_spec, small_region, submit

from l2sweep.bench.adapter.verbs import VERBS, Completion, Load, Lookup, Store, Submit, Verb
from l2sweep.bench.job import PHASES

OpenAdapter = Callable[[dict[str, Any]], Any]


@dataclass
class StoreResult:
    """A result that LMCache's class would refuse."""

    successful: bool
    moved: Any

    def is_successful(self) -> bool:
        return self.successful

    def bytes_transferred(self) -> Any:
        return self.moved


@pytest.fixture(params=["fs", "mock"])
def adapter(request: pytest.FixtureRequest, open_adapter: OpenAdapter, tmp_path: Path) -> Any:
    return open_adapter(fs_spec(tmp_path) if request.param == "fs" else mock_spec())


def wait(verb: Verb, task_ids: set[int]) -> dict[int, Any]:
    """Return the raw results of tasks once all have completed."""
    results: dict[int, Any] = {}
    while task_ids - set(results):
        assert select.select([verb.event_fd], [], [], 10)[0], "no completion within 10 s"
        consume_fd(verb.event_fd)
        results |= dict(verb.drain(task_ids - set(results)))
    return results


def run(kind: type[Verb], adapter: Any, one: Submit) -> Completion:
    """Submit, wait, convert the result, and release it."""
    verb = kind(adapter, KEY_BYTES)
    task_id = verb.submit(one)
    completion = verb.completion(one, wait(verb, {task_id})[task_id])
    verb.release(one, completion)
    return completion


def test_there_is_a_verb_for_each_phase() -> None:
    assert tuple(VERBS) == PHASES


def test_a_store_counts_its_keys_and_bytes(adapter: Any) -> None:
    assert run(Store, adapter, submit([0, 1, 2], small_region())) == Completion(3, 3 * KEY_BYTES, None)


def test_a_second_store_of_the_same_keys_moves_nothing_although_it_succeeds(adapter: Any) -> None:
    run(Store, adapter, submit([0, 1], small_region()))
    again = run(Store, adapter, submit([0, 1], small_region()))
    assert (again.keys_ok, again.bytes_ok, again.failed) == (0, 0, False)
    assert again.shortfall == (
        "LMCache reports success without moving the others, "
        "as it does for keys that are already stored or do not fit"
    )
    assert run(Store, adapter, submit([0, 1, 2], small_region())).keys_ok == 1


def test_a_store_that_fails_is_marked_as_failed(open_adapter: OpenAdapter, tmp_path: Path) -> None:
    adapter = open_adapter(fs_spec(tmp_path))
    shutil.rmtree(tmp_path / "kv")
    completion = run(Store, adapter, submit([0, 1], small_region()))
    assert completion == Completion(0, 0, None, failed=True)


def test_a_lookup_finds_the_stored_keys_and_moves_no_bytes(adapter: Any) -> None:
    run(Store, adapter, submit([0, 2], small_region()))
    assert run(Lookup, adapter, submit([0, 1, 2, 3])) == Completion(2, 0, [0, 2])
    assert run(Lookup, adapter, submit([5])) == Completion(0, 0, [])


def test_a_lookup_unlocks_the_keys_that_it_locked(open_adapter: OpenAdapter) -> None:
    adapter = open_adapter(mock_spec())
    run(Store, adapter, submit([0, 1], small_region()))
    verb, one = Lookup(adapter, KEY_BYTES), submit([0, 1, 2])
    task_id = verb.submit(one)
    completion = verb.completion(one, wait(verb, {task_id})[task_id])
    assert adapter.debug_get_locked_key_count() == 2
    verb.release(one, completion)
    run(Lookup, adapter, submit([7]))  # the adapter works on one task after the other
    assert adapter.debug_get_locked_key_count() == 0


def test_a_load_returns_the_stored_bytes_and_counts_its_keys(adapter: Any) -> None:
    source, target = small_region(), small_region()
    source.slots[:] = np.random.default_rng(0).integers(0, 256, source.slots.shape, dtype=np.uint8)
    target.clear()
    run(Store, adapter, submit([0, 1, 2, 3], source))
    assert run(Load, adapter, submit([0, 1, 2, 3], target)) == Completion(4, 4 * KEY_BYTES, [0, 1, 2, 3])
    assert (target.slots == source.slots).all()


def test_a_load_of_missing_keys_counts_only_the_others(adapter: Any) -> None:
    source, target = small_region(), small_region()
    source.slots[:] = 7
    target.clear()
    run(Store, adapter, submit([1, 3], source))
    assert run(Load, adapter, submit([0, 1, 2, 3], target)) == Completion(2, 2 * KEY_BYTES, [1, 3])
    assert target.slots.any(axis=1).tolist() == [False, True, False, True]


@pytest.mark.parametrize("kind", [Store, Lookup, Load])
def test_drain_returns_nothing_for_tasks_that_have_not_completed(adapter: Any, kind: type[Verb]) -> None:
    assert list(kind(adapter, KEY_BYTES).drain({10**6})) == []


@pytest.mark.parametrize("kind", [Store, Lookup, Load])
def test_drain_returns_each_result_once(adapter: Any, kind: type[Verb]) -> None:
    verb = kind(adapter, KEY_BYTES)
    region = small_region() if kind is not Lookup else None
    task_ids = {verb.submit(submit([number], region)) for number in range(3)}
    assert len(task_ids) == 3
    assert set(wait(verb, task_ids)) == task_ids
    assert list(verb.drain(task_ids)) == []


def test_a_store_returns_the_results_of_all_tasks_so_that_unknown_ones_are_seen(adapter: Any) -> None:
    verb = Store(adapter, KEY_BYTES)
    other = verb.submit(submit([0], small_region()))
    assert select.select([verb.event_fd], [], [], 10)[0]
    consume_fd(verb.event_fd)
    assert [task_id for task_id, _ in verb.drain({10**6})] == [other]
    assert list(verb.drain({other})) == []


def test_results_before_an_error_of_a_query_are_not_lost(open_adapter: OpenAdapter) -> None:
    verb = Load(open_adapter(mock_spec()), KEY_BYTES)
    answers: dict[int, Any] = {1: Bitmap(1), 2: None}
    verb._adapter.query_load_result = lambda task_id: answers[task_id]  # type: ignore[method-assign]
    drained = iter(verb.drain([1, 2, 3]))
    assert next(drained)[0] == 1
    with pytest.raises(KeyError):
        next(drained)


def test_a_store_that_moved_less_than_all_keys_says_how_much(open_adapter: OpenAdapter) -> None:
    verb = Store(open_adapter(mock_spec()), KEY_BYTES)
    one = submit([0, 1])
    assert verb.completion(one, L2StoreResult(True, 2 * KEY_BYTES)) == Completion(2, 2 * KEY_BYTES, None)
    assert verb.completion(one, L2StoreResult(True, KEY_BYTES)) == Completion(
        1, KEY_BYTES, None, shortfall="LMCache reports success with 4 of 8 KiB moved"
    )
    odd = verb.completion(one, L2StoreResult(True, KEY_BYTES + 5))
    assert (odd.keys_ok, odd.bytes_ok) == (1, KEY_BYTES + 5)
    assert odd.shortfall == "LMCache reports success with 4101 of 8192 bytes moved"


@pytest.mark.parametrize(
    ("result", "rule"),
    [
        (L2StoreResult(True, 2 * KEY_BYTES + 1), "bytes_transferred is 8193 for a payload of 8192 bytes"),
        (StoreResult(True, -1), "bytes_transferred is negative: -1"),
        (StoreResult(False, 5), "bytes_transferred is 5, but the store failed"),
        (StoreResult(True, 4096.0), "bytes_transferred has type float, not int"),
        (StoreResult(True, True), "bytes_transferred has type bool, not int"),
        (StoreResult(True, 10**5000), "bytes_transferred is (int object) for a payload of 8192 bytes"),
        (True, "the result has type bool, not L2StoreResult"),
        (2 * KEY_BYTES, "the result has type int, not L2StoreResult"),
    ],
)
def test_an_impossible_result_of_a_store_counts_nothing(
    open_adapter: OpenAdapter, result: Any, rule: str
) -> None:
    settled = Store(open_adapter(mock_spec()), KEY_BYTES).settle(submit([0, 1]), result)
    assert settled == Completion(0, 0, [], broken_rule=rule)


def bitmap(num_bits: int, *positions: int) -> Bitmap:
    one = Bitmap(num_bits)
    for position in positions:
        one.set(position)
    return one


class Repeating(Bitmap):  # type: ignore[misc, unused-ignore]
    """A bitmap that lists a position twice, and one behind its end."""

    def get_indices_list(self) -> list[int]:
        return [0, 0, 5]

    def __repr__(self) -> str:
        return "00"


@pytest.mark.parametrize("kind", [Lookup, Load])
@pytest.mark.parametrize(
    ("result", "rule"),
    [
        (bitmap(4, 0, 1, 2, 3), "the bitmap has 4 bits for 2 keys"),
        (bitmap(4), "the bitmap has 4 bits for 2 keys"),
        (bitmap(1, 0), "the bitmap has 1 bit for 2 keys"),
        (bitmap(0), "the bitmap has 0 bits for 2 keys"),
        (Repeating(3), "the bitmap has 3 bits for 2 keys"),
        ([True, True], "the result has type list, not Bitmap"),
        (2, "the result has type int, not Bitmap"),
    ],
)
def test_a_result_without_one_bit_for_each_key_counts_nothing(
    open_adapter: OpenAdapter, kind: type[Verb], result: Any, rule: str
) -> None:
    settled = kind(open_adapter(mock_spec()), KEY_BYTES).settle(submit([0, 1]), result)
    assert settled == Completion(0, 0, [], broken_rule=rule)


def test_the_bits_are_read_by_the_methods_of_lmcache(open_adapter: OpenAdapter) -> None:
    settled = Load(open_adapter(mock_spec()), KEY_BYTES).settle(submit([0, 1]), Repeating(2))
    assert settled == Completion(0, 0, [])


def test_a_lookup_that_cannot_be_unlocked_counts_nothing(
    open_adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = open_adapter(mock_spec())

    def fail(keys: Any) -> None:
        raise OSError("connection\nlost")

    monkeypatch.setattr(adapter, "submit_unlock", fail)
    settled = Lookup(adapter, KEY_BYTES).settle(submit([0, 1]), bitmap(2, 0))
    assert settled == Completion(0, 0, [], broken_rule="submit_unlock raised OSError: connection\\nlost")


@pytest.mark.parametrize("slot_bytes", [KEY_BYTES, 4 * KEY_BYTES])
def test_an_adapter_that_reports_whole_slots_counts_keys_and_payload(
    open_adapter: OpenAdapter, slot_bytes: int, tmp_path: Path
) -> None:
    device = tmp_path / "dax"
    device.write_bytes(bytes(2**21))
    adapter = open_adapter(
        {"type": "dax", "device_path": str(device), "max_dax_size_gb": 2**-9, "slot_bytes": slot_bytes}
    )
    assert run(Store, adapter, submit([0, 1], small_region())) == Completion(2, 2 * KEY_BYTES, None)
    if slot_bytes > KEY_BYTES:
        verb = Store(adapter, KEY_BYTES)
        half = verb.settle(submit([0, 1]), L2StoreResult(True, slot_bytes))
        assert (half.keys_ok, half.bytes_ok) == (1, KEY_BYTES)
        odd = verb.settle(submit([0, 1]), L2StoreResult(True, slot_bytes + 1))
        assert odd.broken_rule == "bytes_transferred is 16385, which is no multiple of slot_bytes"
