"""The check of loaded bytes: what a sample finds, and what only the check of every byte finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_job import mock_spec, small_job, small_workload

from l2sweep.bench.adapter.verbs import Completion, Submit
from l2sweep.bench.checks.loaded_bytes import LoadCheck, Verification, sampled_words
from l2sweep.bench.data.buffers import Region, allocate, region
from l2sweep.bench.data.payload import Payload

KIB = 1024
PAGE = 4 * KIB
KEYS = [4, 5, 6, 7]
SUBMITS = [Submit([4, 5], [], []), Submit([6, 7], [], [])]
ALL_LOADED = {0: Completion(2, 0, [0, 1]), 1: Completion(2, 0, [0, 1])}
PAYLOAD = Payload(42)


class Loading:
    """A load round of four keys, whose memory the test writes."""

    def __init__(self, data_size_kb: int = 16, **changes: Any) -> None:
        workload = small_workload(data_size_kb=data_size_kb)
        buffer = allocate(workload, 1)
        self.region: Region = region(buffer, workload, 0)
        self.check_of = LoadCheck(small_job(mock_spec(), workload, **changes), self.region, PAYLOAD)
        self.check_of.prepare(KEYS)

    def load(self, *slots: int) -> None:
        """Load keys correctly."""
        for slot in slots:
            PAYLOAD.fill(self.region.slots[slot], KEYS[slot])

    def check(self, loaded: dict[int, Completion] = ALL_LOADED, every_byte: bool = False) -> Verification:
        return self.check_of.check(self.check_of.sample(), SUBMITS, loaded, every_byte=every_byte)


@pytest.mark.parametrize("every_byte", [False, True])
@pytest.mark.parametrize("data_size_kb", [1, 4, 5, 16, 300, 1024])
def test_keys_that_are_loaded_correctly_are_correct(data_size_kb: int, every_byte: bool) -> None:
    loading = Loading(data_size_kb)
    loading.load(0, 1, 2, 3)
    assert loading.check(every_byte=every_byte) == Verification(4 if every_byte else 0, 4, 0, "")


def test_a_key_that_is_not_loaded_is_wrong() -> None:
    loading = Loading()
    loading.load(0, 2)
    assert loading.check() == Verification(
        0, 4, 2, "2 of 4 sampled keys have wrong bytes, first at key 5, byte 0"
    )


def test_a_key_that_is_not_reported_as_loaded_is_not_checked() -> None:
    loading = Loading()
    loading.load(1)
    assert loading.check({0: Completion(1, 0, [1])}) == Verification(0, 1, 0, "")
    assert loading.check({}) == Verification()
    assert loading.check({1: Completion(0, 0, [])}) == Verification()


@pytest.mark.parametrize("data_size_kb", [1, 4, 5, 16, 300])
def test_each_page_is_sampled_at_its_first_and_its_last_word(data_size_kb: int) -> None:
    size = data_size_kb * KIB
    for start in range(0, size, PAGE):
        for place in (start, min(start + PAGE, size) - 1):
            loading = Loading(data_size_kb)
            loading.load(0, 1, 2, 3)
            loading.region.slots[3, place] ^= 1
            assert loading.check().detail == (
                f"1 of 4 sampled keys have wrong bytes, first at key 7, byte {place}"
            )


@pytest.mark.parametrize("page", [0, 1, 3])
def test_a_page_that_is_not_loaded_is_wrong(page: int) -> None:
    loading = Loading()
    before = loading.region.slots[1, page * PAGE : (page + 1) * PAGE].copy()
    loading.load(0, 1, 2, 3)
    loading.region.slots[1, page * PAGE : (page + 1) * PAGE] = before
    assert f"first at key 5, byte {page * PAGE}" in loading.check().detail


@pytest.mark.parametrize("other", [6, 1, 9])
def test_the_bytes_of_another_key_are_wrong(other: int) -> None:
    loading = Loading()
    loading.load(0, 1, 3)
    PAYLOAD.fill(loading.region.slots[2], other)
    assert loading.check().mismatched_keys == (0 if other == 6 else 1)


def test_zeros_are_wrong() -> None:
    loading = Loading()
    loading.region.clear()
    assert loading.check().mismatched_keys == 4


def test_a_wrong_byte_between_the_sampled_words_is_only_found_by_the_check_of_every_byte() -> None:
    loading = Loading()
    loading.load(0, 1, 2, 3)
    loading.region.slots[2, 100] ^= 1
    assert loading.check().mismatched_keys == 0
    assert loading.check(every_byte=True) == Verification(
        4, 4, 1, "1 of 4 loaded keys have wrong bytes, first at key 6, byte 100"
    )


def test_bytes_that_arrive_after_the_sample_are_too_late() -> None:
    loading = Loading()
    loading.load(0, 1, 2)
    sample = loading.check_of.sample()
    loading.load(3)
    late = loading.check_of.check(sample, SUBMITS, ALL_LOADED, every_byte=True)
    assert late == Verification(4, 4, 1, "1 of 4 sampled keys have wrong bytes, first at key 7, byte 0")


@pytest.mark.parametrize("every_byte", [False, True])
def test_a_submit_whose_last_word_arrives_after_its_completion_is_early(every_byte: bool) -> None:
    loading = Loading()
    loading.load(0)
    loading.check_of.at_completion(0)  # of the keys 4 and 5
    loading.load(1, 2, 3)
    loading.check_of.at_completion(1)
    assert loading.check(every_byte=every_byte) == Verification(
        verified_keys=4 if every_byte else 0,
        sampled_keys=4,
        mismatched_keys=2,  # all keys of the submit
        detail="1 of 2 submits completed before their bytes were there, first at key 5",
        early_submits=(0,),
    )


def test_a_submit_whose_bytes_are_there_when_it_completes_is_not_early() -> None:
    loading = Loading()
    loading.load(0, 1)
    loading.check_of.at_completion(0)
    loading.load(2, 3)
    loading.check_of.at_completion(1)
    assert loading.check() == Verification(0, 4, 0, "")


def test_bytes_that_are_wrong_at_the_end_of_the_round_are_wrong_and_not_early() -> None:
    loading = Loading()
    loading.check_of.at_completion(0)
    loading.check_of.at_completion(1)
    checked = loading.check()
    assert (checked.early_submits, checked.mismatched_keys) == ((), 4)
    assert "completed before" not in checked.detail


def test_a_key_that_is_not_reported_as_loaded_is_not_late() -> None:
    loading = Loading()
    loading.load(0)
    loading.check_of.at_completion(0)
    loading.load(1)
    assert loading.check({0: Completion(1, 0, [0])}) == Verification(0, 1, 0, "")


def test_what_was_read_in_an_earlier_round_is_forgotten() -> None:
    loading = Loading()
    loading.check_of.at_completion(0)
    loading.check_of.prepare(KEYS)
    loading.load(0, 1, 2, 3)
    assert loading.check() == Verification(0, 4, 0, "")


def test_data_of_another_program_that_arrive_late_are_late() -> None:
    loading = Loading(**FOREIGN)
    loading.check_of.at_completion(0)
    loading.region.slots[:] = 7
    loading.check_of.at_completion(1)
    checked = loading.check()
    assert checked.early_submits == (0,)
    assert "1 of 2 submits completed before their bytes were there, first at key 4" in checked.detail


def test_the_bytes_of_an_earlier_round_do_not_pass() -> None:
    loading = Loading()
    loading.load(0, 1, 2, 3)
    loading.check_of.prepare(KEYS)
    assert loading.check().mismatched_keys == 4
    assert loading.check(every_byte=True).mismatched_keys == 4


FOREIGN = {"namespace": "bench-model", "keys_stored": False}


def test_data_of_another_program_must_overwrite_the_memory_and_are_named() -> None:
    loading = Loading(**FOREIGN)
    loading.region.slots[:] = np.array([[4], [5], [6], [7]], dtype=np.uint8)  # as ``lmcache bench l2`` fills
    assert loading.check() == Verification(
        0, 4, 0, "4 of 4 sampled keys were loaded, but not written by l2sweep"
    )


def test_data_of_another_program_that_do_not_overwrite_the_memory_are_wrong() -> None:
    loading = Loading(**FOREIGN)
    loading.region.slots[:3] = 7
    loading.region.slots[3, :PAGE] = 7
    assert loading.check() == Verification(
        0,
        4,
        1,
        "1 of 4 sampled keys were not loaded, first at key 7, byte 4096; "
        "3 of 4 sampled keys were loaded, but not written by l2sweep",
    )


def test_the_check_of_every_byte_of_another_programs_data_fails_and_says_why() -> None:
    loading = Loading(**FOREIGN)
    loading.region.slots[:] = 7
    checked = loading.check(every_byte=True)
    assert checked.mismatched_keys == 4
    assert checked.detail.startswith("4 of 4 loaded keys were not written by l2sweep, first at key 4")


def test_keys_that_l2sweep_stored_under_the_name_of_another_program_are_checked_as_its_own() -> None:
    loading = Loading(namespace="bench-model", keys_stored=True)
    loading.region.slots[:] = 7
    assert loading.check().mismatched_keys == 4


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (1024, [0, 127]),
        (4096, [0, 511]),
        (5120, [0, 511, 512, 639]),
        (8192, [0, 511, 512, 1023]),
    ],
)
def test_the_sampled_words_are_the_first_and_the_last_of_each_page(size_bytes: int, words: list[int]) -> None:
    assert sampled_words(size_bytes).tolist() == words
