"""The memory of a replay, and the check of what was loaded into it."""

from __future__ import annotations

import numpy as np
import pytest
from small_job import KEY_BYTES, small_region

from l2sweep.bench.data.buffers import Region
from l2sweep.bench.data.payload import Payload
from l2sweep.bench.trace.memory import LoadedBytes, ReplayMemory

PAYLOAD = Payload(42, "test")


def memory(*, every_byte: bool = False) -> tuple[ReplayMemory, Region]:
    region = small_region()
    return ReplayMemory(region, PAYLOAD, every_byte=every_byte), region


def test_slots_are_taken_as_long_as_there_are_enough() -> None:
    made, region = memory()
    first = made.take(3)
    assert first is not None
    assert len(set(first)) == 3
    assert made.take(2) is None
    second = made.take(1)
    assert second is not None
    assert not set(first) & set(second)
    made.give_back(first)
    assert made.take(3) == first
    assert len(region.slots) == 4


def test_what_was_loaded_is_the_payload_of_its_key() -> None:
    made, region = memory()
    made.prepare_load([2, 0], [7, 8])
    PAYLOAD.fill(region.slots[2], 7)
    PAYLOAD.fill(region.slots[0], 8)
    assert made.check_load([2, 0], [7, 8], [0, 1]) == LoadedBytes()
    assert made.check_load([2, 0], [8, 7], [0, 1]).wrong == 2


def test_a_load_that_writes_nothing_is_found_also_where_the_key_was_before() -> None:
    made, region = memory()
    PAYLOAD.fill(region.slots[1], 7)
    made.prepare_load([1], [7])
    detail = "1 of 1 loaded keys have wrong bytes, first at key 7, byte 0"
    assert made.check_load([1], [7], [0]) == LoadedBytes(1, detail)
    assert made.check_load([1], [7], []) == LoadedBytes()


@pytest.mark.parametrize(("every_byte", "wrong"), [(False, 0), (True, 1)])
def test_a_wrong_byte_between_the_sampled_words_is_found_if_every_byte_is_checked(
    every_byte: bool, wrong: int
) -> None:
    made, region = memory(every_byte=every_byte)
    made.prepare_load([1], [7])
    PAYLOAD.fill(region.slots[1], 7)
    region.slots[1][100] ^= 1
    assert made.check_load([1], [7], [0]).wrong == wrong


def test_with_every_byte_checked_nothing_of_an_earlier_load_is_left() -> None:
    made, region = memory(every_byte=True)
    PAYLOAD.fill(region.slots[1], 7)
    made.prepare_load([1], [7])
    assert np.count_nonzero(region.slots[1]) <= 16


def test_the_memory_of_a_store_is_overwritten_after_it() -> None:
    made, region = memory()
    made.fill(3, 9)
    assert PAYLOAD.first_difference(region.slots[3], 9) is None
    made.overwrite([3])
    assert not region.slots[3][:8].any()
    assert not region.slots[3][KEY_BYTES - 8 :].any()
