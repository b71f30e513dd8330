"""Which keys a lookup must find while others are stored."""

from __future__ import annotations

from l2sweep.bench.trace.key_states import KeyStates, LookupAnswer


def stored(states: KeyStates, *keys: int) -> None:
    states.plan(keys)
    states.submit(keys)
    states.complete(keys, len(keys))


def test_a_key_whose_store_had_completed_must_be_found() -> None:
    states = KeyStates(4)
    stored(states, 0, 1)
    before = states.stored_before([0, 1, 2])
    assert states.judge([0, 1, 2], before, [0, 1]) == LookupAnswer(frozenset({0, 1}), 2, 0, 0)
    assert states.judge([0, 1, 2], before, [0]) == LookupAnswer(frozenset({0}), 2, 0, 1)


def test_a_key_that_was_never_submitted_must_not_be_found() -> None:
    states = KeyStates(4)
    states.plan([3])
    assert states.judge([2, 3], frozenset(), [0, 1]) == LookupAnswer(frozenset(), 0, 2, 0)


def test_of_a_key_that_is_being_stored_either_answer_is_right() -> None:
    states = KeyStates(2)
    states.submit([0, 1])
    before = states.stored_before([0, 1])
    states.complete([0, 1], 2)
    assert before == frozenset()
    assert states.judge([0, 1], before, [1]) == LookupAnswer(frozenset({1}), 1, 0, 0)


def test_a_store_of_a_part_of_its_keys_leaves_them_unknown() -> None:
    states = KeyStates(2)
    states.submit([0, 1])
    states.complete([0, 1], 1)
    assert states.stored_before([0, 1]) == frozenset()
    assert states.judge([0, 1], frozenset(), [0]) == LookupAnswer(frozenset({0}), 1, 0, 0)


def test_a_key_is_stored_by_one_request_at_a_time_and_again_only_if_it_was_lost() -> None:
    states = KeyStates(5)
    stored(states, 0)
    states.plan([1])
    states.submit([2])
    states.complete([3], 0)
    assert states.missing(range(5), found=(), lost=()) == [3, 4]
    assert states.missing(range(5), found=[4], lost=[0]) == [0, 3]
