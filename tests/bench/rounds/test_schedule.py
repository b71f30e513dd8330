"""Which rounds a phase runs, and why it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat

from small_job import small_workload

from l2sweep.bench.rounds.schedule import RoundSchedule, RoundsEnd, ScheduledRound
from l2sweep.bench.workload import Workload

Clock = Callable[[], float]


def auto(**changes: object) -> Workload:
    fields = {"rounds": 50, "warmup_rounds": 1, "precision": 0.05, "max_seconds": 100.0}
    return small_workload(**{**fields, **changes})


def stopped() -> float:
    return 0.0


def run(
    workload: Workload,
    durations: Iterable[float | None],
    stored_rounds: int | None = None,
    now: Clock = stopped,
) -> tuple[list[ScheduledRound], RoundsEnd]:
    """Run a phase whose rounds take these durations."""
    schedule = RoundSchedule(workload, stored_rounds, now)
    rounds, of_round = [], iter(durations)
    for one in schedule:
        rounds.append(one)
        schedule.add(next(of_round))
    return rounds, schedule.end


def counts(rounds: list[ScheduledRound]) -> tuple[int, int]:
    """Return the numbers of warm-up and of measured rounds, which follow one another."""
    assert [one.index for one in rounds] == list(range(len(rounds)))
    warmups = sum(one.is_warmup for one in rounds)
    assert [one.is_warmup for one in rounds] == [True] * warmups + [False] * (len(rounds) - warmups)
    return warmups, len(rounds) - warmups


NOISY = [1.0, 2.0, 3.0] * 40


def test_a_fixed_number_of_rounds_ends_for_no_reason_of_its_own() -> None:
    rounds, end = run(small_workload(rounds=4, warmup_rounds=2), NOISY)
    assert counts(rounds) == (2, 4)
    assert end == RoundsEnd()
    assert counts(run(small_workload(rounds=4, warmup_rounds=2), NOISY, stored_rounds=1)[0]) == (2, 4)


def test_equal_durations_end_at_the_smallest_sample() -> None:
    rounds, end = run(auto(), repeat(1.0))
    assert counts(rounds) == (1, 6)
    assert end == RoundsEnd("precision", precision=0.0)


def test_noisy_durations_end_at_the_most_rounds() -> None:
    rounds, end = run(auto(rounds=20), NOISY)
    assert counts(rounds) == (1, 20)
    assert end == RoundsEnd("max_rounds", precision=0.5)


def test_the_time_limit_ends_a_phase_of_any_number_of_rounds() -> None:
    seconds = iter(range(1000))
    rounds, end = run(auto(max_seconds=3.0), NOISY, now=lambda: float(next(seconds)))
    assert counts(rounds) == (1, 3)
    assert end == RoundsEnd("max_seconds")


def test_a_later_phase_ends_with_the_rounds_that_were_stored() -> None:
    rounds, end = run(auto(), NOISY, stored_rounds=10)
    assert counts(rounds) == (1, 9)
    assert end == RoundsEnd("stored_rounds", precision=0.5)
    assert run(auto(rounds=9), NOISY, stored_rounds=10)[1].ended_by == "max_rounds"


def test_a_warm_up_ends_when_durations_stop_drifting() -> None:
    falling = [20.0 - number for number in range(10)]
    rounds, end = run(auto(warmup_rounds=40, warmup_auto=True), [*falling, *repeat(10.0, 30)])
    warmups, measured = counts(rounds)
    assert 10 < warmups < 20
    assert (measured, end.warmup_ended_by, end.ended_by) == (6, "steady", "precision")


def test_a_warm_up_that_drifts_on_ends_at_its_limit() -> None:
    growing = [1 + number / 1000 for number in range(60)]
    rounds, end = run(auto(warmup_rounds=12, warmup_auto=True), growing)
    assert counts(rounds) == (12, 6)
    assert end.warmup_ended_by == "max_warmup_rounds"


def test_the_warm_up_of_a_later_phase_leaves_stored_rounds_to_measure() -> None:
    growing = [1 + number / 10 for number in range(60)]
    rounds, end = run(auto(warmup_rounds=12, warmup_auto=True), growing, stored_rounds=17)
    assert counts(rounds) == (11, 6)
    assert (end.warmup_ended_by, end.ended_by) == ("stored_rounds", "stored_rounds")
    fixed = small_workload(rounds=3, warmup_rounds=12, warmup_auto=True)
    rounds, end = run(fixed, growing, stored_rounds=10)
    assert counts(rounds) == (7, 3)
    assert (end.warmup_ended_by, end.ended_by) == ("stored_rounds", "")


def test_rounds_without_a_duration_are_never_precise() -> None:
    rounds, end = run(auto(rounds=9), repeat(None))
    assert counts(rounds) == (1, 9)
    assert end == RoundsEnd("max_rounds")


def test_no_phase_runs_more_rounds_than_there_are_keys() -> None:
    workload = auto(rounds=10, warmup_rounds=8, warmup_auto=True)
    rounds, _ = run(workload, NOISY)
    assert len(rounds) <= workload.total_rounds


def test_the_rounds_that_are_not_run_are_the_rest_or_one_where_their_number_is_open() -> None:
    fixed = RoundSchedule(small_workload(rounds=3, warmup_rounds=2))
    assert fixed.not_run(1) == [
        ScheduledRound(1, True),
        *(ScheduledRound(index, False) for index in (2, 3, 4)),
    ]
    assert RoundSchedule(auto()).not_run(3) == [ScheduledRound(3, False)]
    assert RoundSchedule(auto(rounds=6)).not_run(7) == []


def test_a_phase_that_was_left_early_has_no_end() -> None:
    schedule = RoundSchedule(auto())
    for one in schedule:
        schedule.add(1.0)
        if one.index == 3:
            break
    assert schedule.end == RoundsEnd()
