"""The clock of a round, with a verb whose completions and whose time the test controls."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from l2sweep.bench import clock
from l2sweep.bench.adapter.verbs import Completion, Submit, Verb
from l2sweep.bench.clock import ResourceUsage, RoundClock


class FakeTime:
    """A clock that moves only when the test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def perf_counter(self) -> float:
        return self.now_s

    def time(self) -> float:
        return self.now_s + 1e9


class FakeVerb(Verb):
    """A verb with a real eventfd. A submit takes ``submit_s`` on the fake clock, a drain ``drain_s``."""

    name = "fake"
    submit_call = "submit_fake_task"
    drain_call = "query_fake_result"

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._results: dict[int, int] = {}
        self.on_submit: Callable[[int], None] = lambda task_id: None
        self.after_drain: Callable[[], None] = lambda: None
        self.submit_s = 1.0
        self.drain_s = 0.0
        self.drains = 0
        self.next_task_id = 100
        self.released: list[list[int]] = []

    def complete(self, *task_ids: int) -> None:
        """Complete tasks, with one signal for all of them."""
        self._results.update(dict.fromkeys(task_ids, 1))
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
        return task_id

    def drain(self, task_ids: Collection[int]) -> dict[int, Any]:
        self.drains += 1
        self._time.now_s += self.drain_s
        done = {task_id: result for task_id, result in self._results.items() if task_id in task_ids}
        self._results.clear()
        self.after_drain()
        return done

    def completion(self, submit: Submit, raw: Any) -> Completion:
        return Completion(keys_ok=raw * len(submit.indices), bytes_ok=0, ok_positions=None)

    def release(self, submit: Submit, completion: Completion) -> None:
        self.released.append(submit.indices)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=fake.perf_counter, time=fake.time))
    return fake


@pytest.fixture
def verb(time: FakeTime) -> Iterator[FakeVerb]:
    fake = FakeVerb(time)
    yield fake
    fake.close()


def submits(count: int) -> list[Submit]:
    return [Submit([number], [], []) for number in range(count)]


def test_the_duration_is_from_the_first_submit_to_the_last_completion(verb: FakeVerb) -> None:
    verb.on_submit = lambda task_id: verb.complete(100, 101, 102) if task_id == 102 else None
    verb.drain_s = 0.5
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert timing.started_at_s == 1e9 + 1000
    assert timing.duration_s == 3.5
    assert timing.submit_latency_s == {0: 3.5, 1: 2.5, 2: 1.5}
    assert {position: done.keys_ok for position, done in timing.completions.items()} == {0: 1, 1: 1, 2: 1}
    assert (timing.outstanding, timing.error) == ({}, "")


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
    assert sorted(timing.outstanding) == [100, 101]
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
    monkeypatch.setattr(clock, "_LATE_GRACE_S", 0.01)
    round_clock = RoundClock(verb, timeout_s=0.0)
    timing = round_clock.time(submits(2))
    verb.complete(100)
    assert not round_clock.wait_for_late(timing.outstanding)
    assert verb.released == [[0]]


def test_each_completed_submit_of_a_round_is_released_once(verb: FakeVerb) -> None:
    verb.on_submit = verb.complete
    RoundClock(verb, timeout_s=60).time(submits(3))
    assert sorted(verb.released) == [[0], [1], [2]]


def test_an_error_in_a_submit_ends_the_submits_and_is_reported(verb: FakeVerb) -> None:
    def fail_at_the_second(task_id: int) -> None:
        if task_id == 101:
            raise OSError("no space left")
        verb.complete(task_id)

    verb.on_submit = fail_at_the_second
    timing = RoundClock(verb, timeout_s=60).time(submits(3))
    assert timing.error == "OSError: no space left"
    assert timing.duration_s is None
    assert list(timing.completions) == [0]
    assert timing.outstanding == {}
    assert verb.next_task_id == 102


def test_resource_usage_is_the_difference_of_two_moments() -> None:
    earlier = ResourceUsage(1.0, 2.0, 100, 200)
    later = ResourceUsage(1.5, 2.25, 4196, 200)
    assert later.since(earlier) == ResourceUsage(0.5, 0.25, 4096, 0)


def test_unknown_device_bytes_stay_unknown() -> None:
    known, unknown = ResourceUsage(1.0, 2.0, 100, 200), ResourceUsage(1.0, 2.0, None, None)
    for difference in (known.since(unknown), unknown.since(known)):
        assert (difference.device_read_bytes, difference.device_write_bytes) == (None, None)


def test_resource_usage_of_this_process_only_grows() -> None:
    before = ResourceUsage.now()
    sum(range(10**5))
    used = ResourceUsage.now().since(before)
    assert used.cpu_user_s + used.cpu_sys_s >= 0
    assert before.cpu_user_s > 0


def test_without_proc_io_the_device_bytes_are_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clock, "_PROCESS_IO", tmp_path / "io")
    assert ResourceUsage.now().device_read_bytes is None
    (tmp_path / "io").write_text("rchar: 5\nwchar: 6\nread_bytes: 4096\nwrite_bytes: 8192\n")
    usage = ResourceUsage.now()
    assert (usage.device_read_bytes, usage.device_write_bytes) == (4096, 8192)
