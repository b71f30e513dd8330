"""A trace as the replay needs it, and when its requests start."""

from __future__ import annotations

import pytest

from l2sweep.bench.trace.requests import (
    RecordedRequest,
    Request,
    RunningRequest,
    Trace,
    planned_seconds,
    start_times,
)


def recorded(at_s: float, *names: str) -> RecordedRequest:
    return RecordedRequest(at_s, names, looks_up=True, stores=True)


def test_requests_are_sorted_and_begin_at_zero_and_their_keys_are_numbered_in_that_order() -> None:
    trace = Trace.of([recorded(12.0, "b", "c"), recorded(10.5, "a", "b"), recorded(11.0)])
    assert [(one.at_s, one.keys) for one in trace.requests] == [(0.0, (0, 1)), (1.5, (1, 2))]
    assert (trace.num_keys, trace.key_references, trace.duration_s) == (3, 4, 1.5)


def test_a_key_is_in_a_request_once() -> None:
    assert Trace.of([recorded(0.0, "a", "b", "a")]).requests[0].keys == (0, 1)


def test_a_trace_without_keys_is_none() -> None:
    with pytest.raises(ValueError, match="no request has a key"):
        Trace.of([recorded(0.0)])


def test_requests_start_at_their_moments_whatever_the_operations_take() -> None:
    trace = Trace.of([recorded(3.0, "a"), recorded(3.5, "b"), recorded(7.0, "c")])
    assert start_times(trace, 1.0) == [0.0, 0.5, 4.0]
    assert start_times(trace, 2.0) == [0.0, 0.25, 2.0]
    assert start_times(trace, 0.5) == [0.0, 1.0, 8.0]
    assert start_times(trace, None) == [None, None, None]


def test_the_seconds_in_which_requests_start_are_counted() -> None:
    assert planned_seconds(0.0, 1.0) == 1
    assert planned_seconds(1.9, 1.0) == 2
    assert planned_seconds(2.0, 1.0) == 3
    assert planned_seconds(1.9, 0.5) == 4
    assert planned_seconds(100.0, None) == 1


def test_only_the_keys_before_the_first_miss_can_be_used() -> None:
    running = RunningRequest(Request(0.0, (4, 5, 6, 7), looks_up=True, stores=True))
    assert running.found_prefix == []
    running.found |= {4, 5, 7}
    assert running.found_prefix == [4, 5]
