"""Tests of l2sweep.bench.control.completions: which requests are announced, and which results are given out.

The moments lie in the past or far in the future, so nothing is waited for.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Collection, Iterator

import pytest

from l2sweep.bench.control import completions as module
from l2sweep.bench.control.completions import Completions
from l2sweep.bench.control.timer import Timer

EVERY_S = 10.0


class Clock:
    """A clock that a test sets; the timer runs by it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def perf_counter(self) -> float:
        return self.now_s


class ManualTimer:
    """A timer of which the test asks when it was readable since it was last consumed."""

    def __init__(self) -> None:
        self.at_s: float | None = None
        self.every_s = 0.0
        self.times_set = 0

    def set(self, at_s: float | None, every_s: float = 0.0) -> None:
        self.at_s, self.every_s = at_s, every_s
        self.times_set += 1

    def consume(self, now_s: float) -> bool:
        """Return whether it was readable, and reset it as read(2) does."""
        if self.at_s is None or self.at_s > now_s:
            return False
        while self.at_s is not None and self.at_s <= now_s:
            self.at_s = self.at_s + self.every_s if self.every_s else None
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def timer(monkeypatch: pytest.MonkeyPatch) -> ManualTimer:
    timer = ManualTimer()
    monkeypatch.setattr(module, "Timer", lambda: timer)
    return timer


def due_s(task_id: int) -> float:
    return 1000.0 + task_id // 2 * EVERY_S + EVERY_S + task_id % 2


@pytest.fixture
def queue(clock: Clock, timer: ManualTimer) -> Completions:
    """Return the completions of requests 0 to 5 of two servers: two are due every 10 s, 1 s apart."""
    queue = Completions(EVERY_S)
    for task_id in range(6):
        queue.expect(task_id, due_s(task_id))
        queue.put(task_id, f"result {task_id}")
    return queue


def assert_announced(timer: ManualTimer, clock: Clock, taken: Collection[int]) -> None:
    """Check that the timer is not later than the next request, or at once if that is due."""
    left = [due_s(task_id) for task_id in range(6) if task_id not in taken]
    if left:
        assert timer.at_s is not None
        assert timer.at_s <= max(clock.now_s, min(left))


def test_no_result_is_given_out_before_it_is_due(queue: Completions, clock: Clock) -> None:
    clock.now_s = 1009.9
    assert [queue.take(task_id) for task_id in range(6)] == [None] * 6
    assert queue.take_all() == {}
    clock.now_s = 1010.0
    assert [queue.take(0), queue.take(1)] == ["result 0", None]


def test_a_result_is_given_out_once(queue: Completions, clock: Clock) -> None:
    clock.now_s = 1015.0
    assert queue.take(1) == "result 1"
    assert queue.take_all() == {0: "result 0"}
    assert [queue.take(0), queue.take(1)] == [None, None]
    assert queue.take(99) is None


@pytest.mark.parametrize("late_s", [0.0, 0.5, 1.0, 1.5, 9.5, 12.0, 35.0])
@pytest.mark.parametrize("is_last_first", [False, True])
def test_each_request_is_announced_whenever_and_in_which_order_they_are_asked_for(
    queue: Completions, clock: Clock, timer: ManualTimer, late_s: float, is_last_first: bool
) -> None:
    taken = []
    while len(taken) < 6:
        assert timer.at_s is not None
        clock.now_s = max(clock.now_s, timer.at_s + late_s)
        assert timer.consume(clock.now_s)
        for task_id in sorted(set(range(6)) - set(taken), reverse=is_last_first):
            clock.now_s += 0.3  # a request may become due between two queries
            if queue.take(task_id) is not None:
                taken.append(task_id)
        assert_announced(timer, clock, taken)
    queue.rest()
    assert timer.at_s is None


@pytest.mark.parametrize("late_s", [0.0, 0.5, 1.0, 1.5, 9.5, 12.0, 35.0])
def test_each_request_is_announced_where_all_results_are_taken_together(
    queue: Completions, clock: Clock, timer: ManualTimer, late_s: float
) -> None:
    taken: dict[int, str] = {}
    while len(taken) < 6:
        assert timer.at_s is not None
        clock.now_s = max(clock.now_s, timer.at_s + late_s)
        assert timer.consume(clock.now_s)
        taken |= queue.take_all()
        assert_announced(timer, clock, taken)


def test_the_timer_is_not_set_again_where_both_servers_are_noticed_together(
    queue: Completions, clock: Clock, timer: ManualTimer
) -> None:
    pending = list(range(6))
    while pending:
        assert timer.at_s is not None
        clock.now_s = timer.at_s + 2.0
        timer.consume(clock.now_s)
        pending = [task_id for task_id in pending if queue.take(task_id) is None]
    assert timer.times_set == 1


def test_a_result_that_is_put_too_late_is_announced_then(clock: Clock, timer: ManualTimer) -> None:
    queue = Completions(EVERY_S)
    queue.expect(0, 1010.0)
    clock.now_s = 1011.0
    assert timer.consume(clock.now_s)
    assert queue.take(0) is None
    queue.put(0, "late")
    assert timer.consume(clock.now_s)
    assert queue.take(0) == "late"


def test_a_request_that_is_expected_while_the_timer_repeats_is_announced_at_its_own_moment(
    clock: Clock, timer: ManualTimer
) -> None:
    queue = Completions(EVERY_S)
    queue.expect(0, 1010.0)
    queue.put(0, "first")
    clock.now_s = 1010.5
    assert timer.consume(clock.now_s)
    assert queue.take(0) == "first"
    clock.now_s = 1013.0
    queue.expect(1, 1023.0)
    assert timer.at_s == 1023.0


@pytest.fixture
def real() -> Iterator[Completions]:
    completions = Completions(0.0)
    yield completions
    completions.close()


def is_readable(descriptor: int) -> bool:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def test_the_descriptor_of_a_blocking_submit_is_readable_when_it_returns(real: Completions) -> None:
    for task_id in range(2):  # the first result was not taken when the second one is waited for
        due_s = time.perf_counter() + 0.002
        real.expect(task_id, due_s)
        real.put(task_id, task_id)
        assert not is_readable(real.fileno())
        real.wait_until(due_s)
        assert time.perf_counter() >= due_s
    assert os.eventfd_read(real.fileno()) == 1  # as LMCache consumes a signal
    assert real.take_all() == {0: 0, 1: 1}


def test_a_timer_is_readable_from_its_moment_on_and_can_be_consumed_like_an_eventfd() -> None:
    timer = Timer()
    timer.set(time.perf_counter() + 3600)
    assert not is_readable(timer.fileno())
    with pytest.raises(BlockingIOError):
        os.eventfd_read(timer.fileno())
    timer.set(time.perf_counter() - 1)
    assert is_readable(timer.fileno())
    os.eventfd_read(timer.fileno())
    assert not is_readable(timer.fileno())
    timer.set(time.perf_counter() - 1)
    timer.set(None)
    assert not is_readable(timer.fileno())
    timer.close()
