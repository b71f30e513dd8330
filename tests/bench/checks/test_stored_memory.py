"""The memory of a store is overwritten where its submit completed, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from small_job import small_workload

from l2sweep.bench.checks.last_words import LastWords
from l2sweep.bench.checks.stored_memory import StoredMemory
from l2sweep.bench.data.buffers import Region, allocate, region

ONES = np.uint64(2**64 - 1)


def memory_of(num_keys: int, in_flight: int, data_size_kb: int = 16) -> tuple[StoredMemory, Region]:
    workload = small_workload(num_keys=num_keys, in_flight=in_flight, data_size_kb=data_size_kb)
    memory = region(allocate(workload, 1), workload, 0)
    memory.slots.fill(255)
    return StoredMemory(workload, memory), memory


def overwritten(memory: Region) -> list[tuple[int, int]]:
    """Return slot and place of each word that was overwritten."""
    return [(int(slot), int(place)) for slot, place in np.argwhere(memory.slots.view(np.uint64) != ONES)]


def test_a_completion_overwrites_the_last_word_of_each_key_of_its_submit() -> None:
    stored, memory = memory_of(num_keys=2, in_flight=2)
    stored.at_completion(1)
    assert overwritten(memory) == [(2, 2047), (3, 2047)]


@pytest.mark.parametrize(
    ("num_keys", "slots"),
    [(1, [1]), (4, [4, 5, 6, 7]), (5, [5, 7, 9]), (9, [11, 14, 17]), (8, [9, 11, 13, 15])],
)
def test_of_many_keys_the_last_one_and_a_few_others_are_used(num_keys: int, slots: list[int]) -> None:
    stored, memory = memory_of(num_keys, in_flight=2, data_size_kb=4)
    stored.at_completion(1)
    assert [slot for slot, _ in overwritten(memory)] == slots


def test_the_words_that_were_read_are_those_of_the_moment() -> None:
    _, memory = memory_of(num_keys=2, in_flight=2)
    words = LastWords(memory, 2)
    words.read(1)
    memory.slots.fill(0)
    assert words.merged(np.zeros(4, dtype=np.uint64)).tolist() == [0, 0, ONES, ONES]
    words.clear()
    assert words.merged(np.zeros(4, dtype=np.uint64)).tolist() == [0, 0, 0, 0]


def test_each_page_of_the_submits_that_completed_is_overwritten_when_the_clock_stopped() -> None:
    stored, memory = memory_of(num_keys=2, in_flight=3, data_size_kb=8)
    stored.overwrite({2, 0})
    places = (0, 511, 512, 1023)
    assert overwritten(memory) == [(slot, place) for slot in (0, 1, 4, 5) for place in places]
