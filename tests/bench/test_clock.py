"""The clock of a round, with a verb whose completions and whose time the test controls."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import pytest

from l2sweep.bench import clock
from l2sweep.bench.adapter.contract import ContractError
from l2sweep.bench.adapter.verbs import Completion, Submit, Verb
from l2sweep.bench.clock import RoundClock


class FakeTime:
    """A clock that moves only when the test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def perf_counter(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.now_s + 1e9

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class FakeVerb(Verb):
    """A verb with a real eventfd. A submit takes ``submit_s`` on the fake clock, a drain ``drain_s``."""

    name = "fake"
    submit_call = "submit_fake_task"
    drain_call = "query_fake_result"

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._results: list[tuple[int, int]] = []
        self.on_submit: Callable[[int], None] = lambda task_id: None
        self.after_drain: Callable[[], None] = lambda: None
        self.submit_s = 1.0
        self.drain_s = 0.0
        self.drains = 0
        self.next_task_id = 100
        self.returned_id: Callable[[int], Any] = lambda task_id: task_id
        self.in_completion: Callable[[Submit], None] = lambda submit: None
        self.released: list[list[int]] = []

    def complete(self, *task_ids: int) -> None:
        """Complete tasks, with one signal for all of them."""
        self._results += [(task_id, 1) for task_id in task_ids]
        self.signal()

    def signal(self) -> None:
        os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        os.close(self._fd)

    @property
    def event_fd(self) -> int:
        return self._fd

    def submit(self, submit: Submit) -> int:
        self._time.now_s += self.submit_s
        task_id, self.next_task_id = self.next_task_id, self.next_task_id + 1
        self.on_submit(task_id)
        return self.returned_id(task_id)  # type: ignore[no-any-return]

    def drain(self, task_ids: Collection[int]) -> Iterable[tuple[int, Any]]:
        self.drains += 1
        self._time.now_s += self.drain_s
        while self._results:
            yield self._results.pop(0)
        self.after_drain()

    def completion(self, submit: Submit, raw: Any) -> Completion:
        self.in_completion(submit)
        return Completion(keys_ok=raw * len(submit.indices), bytes_ok=0, ok_positions=None)

    def release(self, submit: Submit, completion: Completion) -> None:
        self.released.append(submit.indices)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(clock, "time", fake)
    return fake


@pytest.fixture
def verb(time: FakeTime) -> Iterator[FakeVerb]:
    fake = FakeVerb(time)
    yield fake
    fake.close()


def submits(count: int, memory: Any = None) -> list[Submit]:
    return [Submit([number], [], [memory] if memory else []) for number in range(count)]


def raise_error(*_: object) -> None:
    raise RuntimeError("the disk is on fire")


def test_the_duration_is_from_the_first_submit_to_the_last_completion(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(100, 101, 102) if task_id == 102 else None
    verb.drain_s = 0.5
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert timing.started_at_s == 1e9 + 1000
    assert timing.duration_s == 3.5
    assert timing.submit_latency_s == {0: 3.5, 1: 2.5, 2: 1.5}
    assert {position: done.keys_ok for position, done in timing.completions.items()} == {0: 1, 1: 1, 2: 1}
    assert (timing.outstanding, timing.error) == ({}, "")


@pytest.mark.parametrize("collects", [True, False])
def test_a_round_leaves_the_garbage_collector_as_it_was(verb: FakeVerb, collects: bool) -> None:
    """With two clocks, the end of one round must not enable it within the other one."""
    during: list[bool] = []

    def complete(task_id: int) -> None:
        during.append(gc.isenabled())
        verb.complete(task_id)

    verb.on_submit = complete
    try:
        gc.enable() if collects else gc.disable()
        RoundClock(verb, timeout_s=60).time(submits(1))
        assert (during, gc.isenabled()) == ([False], collects)
    finally:
        gc.enable()


def test_each_completion_is_announced_after_the_moment_that_ends_its_latency(
    verb: FakeVerb, time: FakeTime
) -> None:
    announced: list[int] = []

    def take_a_second(position: int) -> None:
        announced.append(position)
        time.now_s += 1.0

    verb.on_submit = lambda task_id: verb.complete(101, 100) if task_id == 101 else None
    timing = RoundClock(verb, timeout_s=60, at_completion=take_a_second).time(submits(2))
    assert announced == [1, 0]
    assert timing.submit_latency_s == {0: 2.0, 1: 1.0}
    assert timing.duration_s == 2.0


def test_a_submit_that_does_not_complete_in_time_is_not_announced(verb: FakeVerb) -> None:
    verb.submit_s = 0.0
    announced: list[int] = []
    round_clock = RoundClock(verb, timeout_s=0.01, at_completion=announced.append)
    timing = round_clock.time(submits(1))
    verb.complete(100)
    assert round_clock.wait_for_late(timing.outstanding)
    assert announced == []


def test_one_signal_stands_for_several_completions(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(100, 101, 102) if task_id == 102 else None
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert verb.drains == 1
    assert len(timing.completions) == 3


def test_a_signal_without_a_completion_is_ignored(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.signal()
    verb.after_drain = lambda: verb.complete(100)
    timing = RoundClock(verb, timeout_s=60).time(submits(1))
    assert timing.duration_s is not None
    assert verb.drains == 2


def test_completions_from_another_thread_end_the_round(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: threading.Timer(0.01 * (task_id - 99), verb.complete, [task_id]).start()
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert sorted(timing.completions) == [0, 1, 2]


def test_the_time_out_starts_with_the_first_submit_and_not_with_the_last(verb: FakeVerb) -> None:
    verb.submit_s = 3.0  # 6 s after the first submit starts, the last one returns
    verb.on_submit = verb.complete
    timing = RoundClock(verb, timeout_s=5).time(submits(2))
    assert timing.duration_s is None
    assert timing.submit_latency_s == {0: 3.0}
    assert list(timing.outstanding) == [101]


def test_what_completes_between_submits_after_the_time_limit_does_not_count(verb: FakeVerb) -> None:
    verb.submit_s = 6.0
    verb.on_submit = verb.complete
    timing = RoundClock(verb, timeout_s=5).time(submits(2))
    assert (timing.completions, sorted(timing.outstanding)) == ({}, [100, 101])
    assert verb.drains == 0


def test_the_time_out_does_not_start_anew_at_a_signal(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.signal()
    verb.after_drain = verb.signal
    verb.submit_s, verb.drain_s = 0.0, 3.0
    timing = RoundClock(verb, timeout_s=5).time(submits(1))
    assert timing.duration_s is None
    assert verb.drains == 2  # at 3 s and at 6 s


def test_a_round_without_any_completion_ends_at_its_time_out(verb: FakeVerb) -> None:
    timing = RoundClock(verb, timeout_s=0.01).time(submits(1))
    assert timing.duration_s is None
    assert timing.completions == {}
    assert list(timing.outstanding) == [100]


def test_a_round_that_timed_out_keeps_the_submits_that_completed(verb: FakeVerb) -> None:
    verb.submit_s = 0.0
    verb.on_submit = lambda task_id: verb.complete(101) if task_id == 102 else None
    timing = RoundClock(verb, timeout_s=0.01).time(submits(3))
    assert timing.duration_s is None
    assert list(timing.completions) == [1]
    assert list(timing.submit_latency_s) == [1]
    assert {task_id: late.indices for task_id, late in timing.outstanding.items()} == {100: [0], 102: [2]}


def test_late_completions_belong_to_no_round(verb: FakeVerb) -> None:
    verb.submit_s = 0.0
    round_clock = RoundClock(verb, timeout_s=0.01)
    first = round_clock.time(submits(2))
    verb.complete(100, 101)
    assert round_clock.wait_for_late(first.outstanding)
    verb.signal()  # a signal that is left over from the first round
    verb.on_submit = verb.complete
    round_clock.timeout_s = 60
    second = round_clock.time(submits(1))
    assert (first.completions, first.duration_s) == ({}, None)
    assert list(second.completions) == [0]
    assert second.outstanding == {}


def test_late_completions_are_released(verb: FakeVerb) -> None:
    round_clock = RoundClock(verb, timeout_s=0.0)
    timing = round_clock.time(submits(2))
    assert verb.released == []
    verb.complete(101, 100)
    assert round_clock.wait_for_late(timing.outstanding)
    assert sorted(verb.released) == [[0], [1]]


def test_submits_that_never_complete_are_reported(verb: FakeVerb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "LATE_GRACE_S", 0.01)
    verb.drain_s = 0.01
    round_clock = RoundClock(verb, timeout_s=0.0)
    timing = round_clock.time(submits(2))
    verb.complete(100)
    assert not round_clock.wait_for_late(timing.outstanding)
    assert verb.released == [[0]]


@pytest.mark.parametrize("is_in_time_between", [False, True])
def test_rounds_in_a_row_that_time_out_share_the_time_for_late_submits(
    verb: FakeVerb, is_in_time_between: bool
) -> None:
    verb.drain_s = 3.0
    round_clock = RoundClock(verb, timeout_s=0.0)
    first = round_clock.time(submits(1))
    verb.complete(100)
    assert round_clock.wait_for_late(first.outstanding)  # 3 s of the 5 s have passed
    if is_in_time_between:
        round_clock.timeout_s = 60.0
        verb.on_submit = verb.complete
        assert round_clock.time(submits(1)).outstanding == {}
    round_clock.timeout_s = 0.0
    verb.on_submit = lambda task_id: None
    last = round_clock.time(submits(1))
    verb.after_drain = lambda: verb.complete(*[one for one in last.outstanding if isinstance(one, int)])
    assert round_clock.wait_for_late(last.outstanding) == is_in_time_between  # it takes two drains


def test_each_completed_submit_of_a_round_is_released_once(verb: FakeVerb) -> None:
    verb.on_submit = verb.complete
    RoundClock(verb, timeout_s=60).time(submits(3))
    assert sorted(verb.released) == [[0], [1], [2]]


def test_what_a_blocking_submit_completes_has_the_latency_of_that_submit(verb: FakeVerb) -> None:
    verb.on_submit = verb.complete  # each submit takes 1 s
    timing = RoundClock(verb, timeout_s=60).time(submits(16))
    assert timing.submit_latency_s == dict.fromkeys(range(16), 1.0)
    assert timing.duration_s == timing.elapsed_s == 16.0


def test_without_a_signal_nothing_is_drained_between_submits(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(*range(100, 116)) if task_id == 115 else None
    RoundClock(verb, timeout_s=60).time(submits(16))
    assert verb.drains == 1


def test_a_submit_that_does_not_complete_was_waited_for_until_the_clock_stopped(verb: FakeVerb) -> None:
    verb.submit_s = 0.5
    verb.on_submit = lambda task_id: verb.complete(100) if task_id == 101 else None
    timing = RoundClock(verb, timeout_s=1.0).time(submits(2))  # it stops after 1 s, with the last submit
    assert timing.submit_unfinished_s == {0: 1.0, 1: 0.5}
    assert (timing.elapsed_s, timing.duration_s, timing.error) == (1.0, None, "")


def test_the_time_that_a_submit_was_waited_for_reaches_its_limit(verb: FakeVerb) -> None:
    verb.submit_s = 0.0
    verb.on_submit = lambda task_id: verb.signal()
    verb.drain_s = 3.0
    verb.after_drain = verb.signal
    timing = RoundClock(verb, timeout_s=5).time(submits(1))
    assert timing.submit_unfinished_s == {0: 6.0}
    assert timing.elapsed_s == 6.0


def test_an_error_in_a_submit_ends_the_submits_and_is_reported(verb: FakeVerb) -> None:
    def fail_at_the_second(task_id: int) -> None:
        if task_id == 101:
            raise OSError("no space left")
        verb.complete(task_id)

    verb.on_submit = fail_at_the_second
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert timing.error == "fake: submit_fake_task raised OSError: no space left"
    assert timing.duration_s is None
    assert timing.elapsed_s == 2.0
    assert list(timing.completions) == [0]
    assert (timing.outstanding, timing.submit_unfinished_s) == ({}, {})
    assert verb.next_task_id == 102


def test_an_error_while_results_are_collected_leaves_the_other_submits_outstanding(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(101) if task_id == 102 else None
    verb.after_drain = raise_error
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert timing.error == "fake: query_fake_result raised RuntimeError: the disk is on fire"
    assert list(timing.completions) == [1]  # it was collected before the error
    assert list(timing.outstanding) == [100, 102]
    assert timing.submit_unfinished_s == {0: 3.0, 2: 1.0}
    assert (timing.duration_s, timing.elapsed_s) == (None, 3.0)


def test_an_error_while_results_are_collected_between_submits_ends_the_round(verb: FakeVerb) -> None:
    verb.on_submit = verb.complete
    verb.after_drain = raise_error
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert verb.next_task_id == 101
    assert list(timing.completions) == [0]
    assert (timing.outstanding, timing.duration_s) == ({}, None)


def test_results_whose_signal_was_used_up_by_an_error_are_found_later(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(100)
    verb.after_drain = raise_error
    verb.next_task_id = 99
    round_clock = RoundClock(verb, timeout_s=60)
    timing = round_clock.time(submits(2))
    assert list(timing.outstanding) == [99]
    verb.after_drain = lambda: None
    verb._results.append((99, 1))  # without a signal
    assert round_clock.wait_for_late(timing.outstanding)
    assert verb.released == [[0]]


def test_an_adapter_whose_results_can_never_be_collected_is_not_waited_for_for_ever(verb: FakeVerb) -> None:
    verb.after_drain = raise_error
    verb.on_submit = lambda task_id: verb.signal()
    round_clock = RoundClock(verb, timeout_s=60)
    timing = round_clock.time(submits(1))
    assert not round_clock.wait_for_late(timing.outstanding)


def test_a_descriptor_that_is_closed_is_a_broken_rule(verb: FakeVerb) -> None:
    round_clock = RoundClock(verb, timeout_s=60)
    spare = os.dup(verb.event_fd)
    os.close(verb.event_fd)
    timing = round_clock.time(submits(1))
    assert timing.error == "fake: the event descriptor cannot be read: Bad file descriptor"
    assert not round_clock.wait_for_late(timing.outstanding)
    os.dup2(spare, verb.event_fd)  # the fixture closes it
    os.close(spare)


def test_an_adapter_without_an_event_descriptor_is_refused(verb: FakeVerb) -> None:
    verb._fd, fd = -1, verb._fd
    with pytest.raises(ContractError, match="fake: getting the event descriptor raised ValueError"):
        RoundClock(verb, timeout_s=60)
    verb._fd = fd


@pytest.mark.parametrize(
    ("returned", "kind"), [("7", "str"), (None, "NoneType"), (True, "bool"), (7.0, "float"), ([7], "list")]
)
def test_a_task_id_that_is_no_int_is_a_broken_rule(verb: FakeVerb, returned: object, kind: str) -> None:
    verb.returned_id = lambda task_id: task_id if task_id == 100 else returned
    verb.on_submit = lambda task_id: verb.complete(100)
    round_clock = RoundClock(verb, timeout_s=60)
    timing = round_clock.time(submits(3, memory=object()))
    assert timing.error.startswith(f"fake: the task id has type {kind}, not int")
    assert list(timing.completions) == [0]
    assert [late.indices for late in timing.outstanding.values()] == [[1]]
    assert timing.duration_s is None
    assert not round_clock.wait_for_late(timing.outstanding)  # nothing can say when its memory is free


def test_a_lookup_without_a_task_id_is_not_waited_for_because_it_has_no_memory(verb: FakeVerb) -> None:
    verb.returned_id = lambda task_id: None
    timing = RoundClock(verb, timeout_s=60).time(submits(1))
    assert timing.error == "fake: the task id has type NoneType, not int"
    assert timing.outstanding == {}


def test_two_submits_with_one_task_id_count_nothing(verb: FakeVerb) -> None:
    verb.returned_id = lambda task_id: 100
    verb.on_submit = lambda task_id: verb.complete(100) if task_id == 101 else None
    round_clock = RoundClock(verb, timeout_s=60)
    timing = round_clock.time(submits(2, memory=object()))
    assert timing.error == "fake: task id 100 was used before"
    assert {position: done.keys_ok for position, done in timing.completions.items()} == {0: 0}
    assert timing.submit_latency_s == {}
    assert not round_clock.wait_for_late(timing.outstanding)


def test_the_task_id_of_an_earlier_round_counts_nothing(verb: FakeVerb) -> None:
    verb.returned_id = lambda task_id: 100
    verb.on_submit = lambda task_id: verb.complete(100)
    round_clock = RoundClock(verb, timeout_s=60)
    assert round_clock.time(submits(1)).error == ""
    second = round_clock.time(submits(1, memory=object()))
    assert second.error == "fake: task id 100 was used before"
    assert (second.completions[0].keys_ok, second.duration_s, second.outstanding) == (0, None, {})
    assert verb.released == [[0], [0]]


def test_a_result_of_a_task_that_was_never_submitted_is_a_broken_rule(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(task_id, 7)
    timing = RoundClock(verb, timeout_s=60).time(submits(1))
    assert timing.error == "fake: a result for task 7, which was never submitted"
    assert (timing.completions[0].keys_ok, timing.duration_s) == (1, None)


def test_a_second_result_of_a_task_is_a_broken_rule(verb: FakeVerb) -> None:
    verb.submit_s = 0.0
    verb.on_submit = lambda task_id: verb.complete(100)
    timing = RoundClock(verb, timeout_s=0.01).time(submits(2))
    assert timing.error == "fake: a second result for task 100"


def test_an_error_while_a_result_is_read_counts_nothing_of_its_submit(verb: FakeVerb) -> None:
    verb.on_submit = verb.complete
    verb.in_completion = lambda submit: raise_error() if submit.indices == [1] else None
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert timing.error == "fake: reading the result raised RuntimeError: the disk is on fire"
    assert [timing.completions[position].keys_ok for position in range(3)] == [1, 0, 1]
    assert list(timing.submit_latency_s) == [0, 2]
    assert timing.duration_s is None


def test_each_broken_rule_is_named_once_and_not_more_than_three(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(task_id, 1, 2, 3, 4)
    timing = RoundClock(verb, timeout_s=60).time(submits(2))
    assert timing.error.count("a result for task 1,") == 1
    assert timing.error.endswith("; and 1 more")
