"""Hits count where keys were stored, and nowhere else."""

from __future__ import annotations

from typing import Any

from small_job import mock_spec, small_job, small_workload

from l2sweep.bench.adapter.verbs import Completion, Submit
from l2sweep.bench.checks.lookup_hits import LookupHits, judge_lookup

# The workload stores the keys 0 to 11. Its first lookup round asks for 0, 1 and for 12, 13.
ROUND = [Submit([0, 1], [], []), Submit([12, 13], [], [])]


def judge(*positions: list[int], **changes: Any) -> LookupHits:
    """Judge a round in which each submit found the keys at these positions."""
    completions = {number: Completion(len(found), 0, found) for number, found in enumerate(positions)}
    return judge_lookup(small_job(mock_spec(), small_workload(), **changes), ROUND, completions)


def test_all_stored_keys_and_no_other_is_correct() -> None:
    assert judge([0, 1], []) == LookupHits(2, 0, 0, "")


def test_a_stored_key_that_is_not_found_is_a_false_miss() -> None:
    assert judge([1], []) == LookupHits(1, 0, 1, "0 false hits, 1 false misses")


def test_a_key_that_was_never_stored_is_a_false_hit_and_no_hit() -> None:
    assert judge([0, 1], [1]) == LookupHits(2, 1, 0, "1 false hits, 0 false misses")


def test_the_right_number_at_wrong_places_is_no_hit() -> None:
    assert judge([], [0, 1]) == LookupHits(0, 2, 2, "2 false hits, 2 false misses")


def test_a_key_that_is_reported_twice_is_one_hit() -> None:
    assert judge([0, 0, 1], []).hits == 2


def test_the_keys_of_a_submit_that_did_not_complete_are_not_judged() -> None:
    job = small_job(mock_spec())
    assert judge_lookup(job, ROUND, {1: Completion(0, 0, [])}) == LookupHits(0, 0, 0, "")


def test_a_submit_that_broke_a_rule_says_nothing_about_its_keys() -> None:
    job = small_job(mock_spec())
    assert judge_lookup(job, ROUND, {0: Completion.broken("no bitmap")}) == LookupHits(0, 0, 0, "")


def test_without_a_store_phase_it_is_unknown_which_keys_are_missed() -> None:
    assert judge([1], [], keys_stored=False) == LookupHits(1, 0, None, "")
    assert judge([1], [0], keys_stored=False) == LookupHits(1, 1, None, "1 false hits")


def test_in_a_shared_namespace_a_key_beyond_the_stored_range_is_neither_a_hit_nor_a_false_hit() -> None:
    found = judge([0, 1], [0, 1], shared_namespace=True, keys_stored=False)
    assert found == LookupHits(
        2,
        None,
        None,
        "2 keys beyond the stored range found in namespace 'test': others may have stored them",
    )


def test_in_a_shared_namespace_false_misses_are_still_counted_after_a_store() -> None:
    assert judge([1], [], shared_namespace=True) == LookupHits(1, None, 1, "1 false misses")
