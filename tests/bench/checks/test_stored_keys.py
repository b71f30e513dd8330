"""Stored keys are found and loaded back, with LMCache's real fs adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_fs import FaultyFs, LyingLoad
from small_job import NAMESPACE, fs_spec, small_job, small_region, submit

from l2sweep.bench.adapter.create import delete
from l2sweep.bench.adapter.verbs import Store
from l2sweep.bench.checks import stored_keys
from l2sweep.bench.checks.after_phase import loaded_back
from l2sweep.bench.checks.stored_keys import NoAnswerError, StoredBatch, StoredKeys
from l2sweep.bench.clock import RoundClock
from l2sweep.bench.data.payload import Payload

PAYLOAD = Payload(42)


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.02)


@pytest.fixture
def adapter(tmp_path: Path) -> Iterator[FaultyFs]:
    opened = FaultyFs(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def keys(adapter: FaultyFs, tmp_path: Path) -> StoredKeys:
    return StoredKeys(adapter, small_job(fs_spec(tmp_path)))


def store(adapter: FaultyFs, indices: Sequence[int]) -> None:
    memory = small_region()
    for slot, index in zip(memory.slots, indices, strict=False):
        PAYLOAD.fill(slot, index)
    RoundClock(Store(adapter, memory.slots.shape[1]), 10.0).time([submit(indices, memory)])


def test_only_stored_keys_are_found(adapter: FaultyFs, keys: StoredKeys) -> None:
    store(adapter, [3, 5])
    assert keys.find(range(7)) == {3, 5}


def test_many_keys_are_looked_up_in_several_submits(
    adapter: FaultyFs, keys: StoredKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_keys, "_KEYS_PER_LOOKUP", 3)
    store(adapter, [0, 3, 7])
    assert keys.find(range(8)) == {0, 3, 7}
    assert keys.find([]) == set()


def test_stored_keys_that_are_not_found_are_lost(adapter: FaultyFs, keys: StoredKeys) -> None:
    store(adapter, [0, 1, 2])
    batches = [StoredBatch([0, 1], 2), StoredBatch([2, 3], 2), StoredBatch([4, 5], 1)]
    assert keys.count_lost(batches) == 2
    assert keys.count_lost(batches[:1]) == 0


def test_of_a_submit_that_stored_some_keys_any_so_many_must_be_found(
    adapter: FaultyFs, keys: StoredKeys
) -> None:
    store(adapter, [3])
    assert keys.count_lost([StoredBatch([2, 3], 1)]) == 0


def test_keys_that_are_found_after_a_deletion_are_left(adapter: FaultyFs, keys: StoredKeys) -> None:
    store(adapter, [0, 1, 2])
    delete(adapter, [0, 2], NAMESPACE)
    assert keys.find(range(3)) == {1}


def test_a_key_that_was_locked_when_it_was_deleted_is_deleted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Locking(FaultyFs):
        is_locked = True

        def delete(self, keys: Any) -> None:
            super().delete(keys[1:] if self.is_locked else keys)
            self.is_locked = False

    monkeypatch.setattr(stored_keys, "_SETTLE_S", 0.02)
    adapter = Locking(tmp_path)
    store(adapter, [0, 1, 2])
    keys = StoredKeys(adapter, small_job(fs_spec(tmp_path)))
    keys.delete([0, 1, 2])
    assert keys.find(range(3)) == {0}
    assert keys.count_left(range(3)) == 0
    adapter.close()


@pytest.mark.parametrize("lookups_until_found", [2, 4])
def test_keys_are_looked_up_again_until_they_are_visible(
    adapter: FaultyFs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lookups_until_found: int
) -> None:
    monkeypatch.setattr(stored_keys, "_SETTLE_S", 10.0)
    monkeypatch.setattr(stored_keys, "_FIRST_PAUSE_S", 0.001)

    class Late(StoredKeys):
        lookups = 0

        def find(self, indices: Sequence[int]) -> set[int]:
            Late.lookups += 1
            return super().find(indices) if Late.lookups >= lookups_until_found else set()

    store(adapter, [0, 1])
    assert Late(adapter, small_job(fs_spec(tmp_path))).count_lost([StoredBatch([0, 1], 2)]) == 0
    assert Late.lookups == lookups_until_found


def test_keys_that_are_loaded_back_correctly_are_no_problem(adapter: FaultyFs, keys: StoredKeys) -> None:
    store(adapter, [1, 3])
    assert keys.problem_of_load([1, 3], small_region(), PAYLOAD) == ""


def test_keys_that_are_loaded_back_with_wrong_bytes_are_a_problem(
    adapter: FaultyFs, keys: StoredKeys, tmp_path: Path
) -> None:
    store(adapter, [1, 3])
    file = next((tmp_path / "kv").glob("*03.data"))
    content = np.fromfile(file, dtype=np.uint8)
    content[100] ^= 1
    content.tofile(file)
    problem = keys.problem_of_load([1, 3], small_region(), PAYLOAD)
    assert problem == "1 of 2 sampled keys are loaded back with wrong bytes"


def test_a_load_back_that_writes_nothing_is_a_problem(tmp_path: Path) -> None:
    lying = LyingLoad(tmp_path, 1)
    store(lying, [1, 3])
    keys = StoredKeys(lying, small_job(fs_spec(tmp_path)))
    problem = keys.problem_of_load([1, 3], small_region(), PAYLOAD)
    lying.close()
    assert problem == "2 of 2 sampled keys are loaded back with wrong bytes"


def test_keys_that_cannot_be_loaded_back_are_a_problem(adapter: FaultyFs, keys: StoredKeys) -> None:
    store(adapter, [1])
    problem = keys.problem_of_load([1, 3], small_region(), PAYLOAD)
    assert problem == "1 of 2 sampled keys cannot be loaded back"


def test_loads_that_fail_as_the_spec_asks_are_no_problem(adapter: FaultyFs, tmp_path: Path) -> None:
    spec = {"type": "fault_inject", "rate": 1.0, "inner": fs_spec(tmp_path)}
    keys = StoredKeys(adapter, small_job(spec))
    assert keys.problem_of_load([3], small_region(), PAYLOAD) == ""


def test_a_task_that_does_not_complete_is_no_answer(tmp_path: Path) -> None:
    class Lost(FaultyFs):
        async def _execute_lookup(self, keys: Any, task_id: int) -> None:
            return

    lost = Lost(tmp_path)
    keys = StoredKeys(lost, small_job(fs_spec(tmp_path), timeout_s={"lookup": 0.01}))
    with pytest.raises(NoAnswerError, match="timed out") as raised:
        keys.find([0])
    assert (raised.value.is_stuck, raised.value.has_raised) == (True, False)
    lost.close()


def test_an_adapter_that_raises_is_no_answer(tmp_path: Path) -> None:
    class Raising(FaultyFs):
        def submit_load_task(self, keys: Any, objects: Any) -> int:
            raise NotImplementedError("no load here")

    raising = Raising(tmp_path)
    keys = StoredKeys(raising, small_job(fs_spec(tmp_path)))
    with pytest.raises(NoAnswerError, match="NotImplementedError: no load here") as raised:
        keys.problem_of_load([0], small_region(), PAYLOAD)
    assert (raised.value.is_stuck, raised.value.has_raised) == (False, True)
    raising.close()


@pytest.mark.parametrize(
    ("num_batches", "most", "expected"),
    [
        (1, 8, [1, 0]),
        (3, 8, [5, 4, 3, 1]),
        (3, 3, [5, 4, 3]),
        (3, 1, [5]),
        (100, 8, [199, 198, 197, 131, 65]),
        (0, 8, []),
    ],
)
def test_the_keys_of_the_last_submit_and_the_last_keys_of_some_others_are_loaded_back(
    num_batches: int, most: int, expected: list[int]
) -> None:
    batches = [StoredBatch([2 * number, 2 * number + 1], 2) for number in range(num_batches)]
    assert loaded_back(batches, most) == expected


def test_only_submits_that_stored_all_keys_are_loaded_back() -> None:
    assert loaded_back([StoredBatch([0, 1], 1), StoredBatch([2, 3], 2)], 8) == [3, 2]


def test_the_keys_of_a_large_submit_are_sampled_at_equal_distances() -> None:
    assert loaded_back([StoredBatch(range(320), 320)], 320) == list(range(319, 0, -10))
