"""The three verbs, with LMCache's real mock and fs adapters."""

from __future__ import annotations

import select
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lmcache.v1.platform import consume_fd
from small_job import KEY_BYTES, fs_spec, mock_spec, small_region, submit

from l2sweep.bench.adapter.verbs import VERBS, Completion, Load, Lookup, Store, Submit, Verb
from l2sweep.bench.job import PHASES

OpenAdapter = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=["fs", "mock"])
def adapter(request: pytest.FixtureRequest, open_adapter: OpenAdapter, tmp_path: Path) -> Any:
    return open_adapter(fs_spec(tmp_path) if request.param == "fs" else mock_spec())


def wait(verb: Verb, task_ids: set[int]) -> dict[int, Any]:
    """Return the raw results of tasks once all have completed."""
    results: dict[int, Any] = {}
    while task_ids - set(results):
        assert select.select([verb.event_fd], [], [], 10)[0], "no completion within 10 s"
        consume_fd(verb.event_fd)
        results |= verb.drain(task_ids - set(results))
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
    assert run(Store, adapter, submit([0, 1], small_region())) == Completion(0, 0, None, failed=False)
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
    assert kind(adapter, KEY_BYTES).drain({10**6}) == {}


@pytest.mark.parametrize("kind", [Store, Lookup, Load])
def test_drain_returns_each_result_once(adapter: Any, kind: type[Verb]) -> None:
    verb = kind(adapter, KEY_BYTES)
    region = small_region() if kind is not Lookup else None
    task_ids = {verb.submit(submit([number], region)) for number in range(3)}
    assert len(task_ids) == 3
    assert set(wait(verb, task_ids)) == task_ids
    assert verb.drain(task_ids) == {}


def test_a_store_drops_the_results_of_other_rounds(adapter: Any) -> None:
    verb = Store(adapter, KEY_BYTES)
    late = verb.submit(submit([0], small_region()))
    assert select.select([verb.event_fd], [], [], 10)[0]
    consume_fd(verb.event_fd)
    assert verb.drain({10**6}) == {}
    assert verb.drain({late}) == {}


def test_whole_keys_are_counted_in_the_bytes_of_a_store(open_adapter: OpenAdapter) -> None:
    from lmcache.v1.distributed.internal_api import L2StoreResult

    verb = Store(open_adapter(mock_spec()), KEY_BYTES)
    one = submit([0, 1])
    assert verb.completion(one, L2StoreResult(True, KEY_BYTES + 5)) == Completion(1, KEY_BYTES + 5, None)
    assert verb.completion(one, L2StoreResult(True, 5 * KEY_BYTES)) == Completion(2, 2 * KEY_BYTES, None)
