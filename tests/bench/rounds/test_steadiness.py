"""When rounds are enough, and when durations still drift: pure functions of durations."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest

from l2sweep.bench.rounds.steadiness import (
    DRIFT_WINDOW,
    SMALLEST_SAMPLE,
    interval_rank,
    is_drifting,
    is_looked_at,
    relative_half_width,
)


def test_the_ranks_are_those_of_the_tables() -> None:
    # Le Boudec, "Performance Evaluation of Computer and Communication Systems", appendix A.
    published = {6: 1, 7: 1, 8: 1, 9: 2, 10: 2, 12: 3, 20: 6, 30: 10, 50: 18, 70: 27}
    assert {size: interval_rank(size) for size in published} == published


def test_an_interval_covers_at_least_95_percent_and_the_next_narrower_one_does_not() -> None:
    from scipy import stats

    for size in range(SMALLEST_SAMPLE, 1200, 7):
        rank = interval_rank(size)
        assert rank is not None
        assert 2 * stats.binom.cdf(rank - 1, size, 0.5) <= 0.05 < 2 * stats.binom.cdf(rank, size, 0.5)


def test_fewer_than_six_rounds_have_no_interval() -> None:
    assert SMALLEST_SAMPLE == 6
    assert [interval_rank(size) for size in range(6)] == [None] * 6
    assert relative_half_width([1.0] * 5) is None


def test_the_half_width_is_relative_to_the_median() -> None:
    assert relative_half_width([1.0] * 6) == 0
    assert relative_half_width([9, 10, 10, 10, 10, 11]) == pytest.approx(0.1)
    assert relative_half_width([5, 9, 10, 10, 10, 10, 10, 11, 40]) == pytest.approx(0.1)  # ranks 2 and 8


def test_a_round_without_a_duration_widens_the_interval() -> None:
    assert relative_half_width([1.0] * 5 + [math.inf]) is None
    assert relative_half_width([1.0] * 8 + [math.inf]) == 0  # beyond the rank of the upper bound
    assert relative_half_width([math.inf] * 9) is None


def test_the_interval_is_looked_at_in_growing_steps_and_at_the_last_round() -> None:
    assert [size for size in range(61) if is_looked_at(size, 60)] == [6, 9, 14, 21, 32, 48, 60]
    assert is_looked_at(7, 7)
    assert not is_looked_at(5, 5)


NOISE = [3.0, 1.0, 4.0, 1.5, 5.0, 2.0, 6.0, 2.5]


def test_a_trend_is_a_drift_and_noise_is_not() -> None:
    assert is_drifting([float(DRIFT_WINDOW - number) for number in range(DRIFT_WINDOW)])
    assert is_drifting([float(number) for number in range(DRIFT_WINDOW)])
    assert not is_drifting(NOISE)
    assert not is_drifting([1.0] * DRIFT_WINDOW)
    assert is_drifting([1.0] * (DRIFT_WINDOW - 1))  # too few to tell


def test_only_the_last_rounds_tell_whether_durations_drift() -> None:
    assert not is_drifting([60.0, 50.0, 40.0, 30.0, 20.0, 10.0, *NOISE])


def test_a_failed_round_is_longer_than_any_other() -> None:
    assert not is_drifting([math.inf] * DRIFT_WINDOW)
    assert is_drifting([1.0, 2.0, 3.0, 4.0, math.inf, math.inf, math.inf, math.inf])


def test_durations_without_a_trend_drift_in_18_percent_of_all_orders() -> None:
    orders = itertools.permutations(map(float, range(DRIFT_WINDOW)))
    assert sum(map(is_drifting, orders)) == 7212


def covered(draw: random.Random, sigma: float, most: int) -> bool:
    """Return whether the interval at the end of a phase contains the true median, which is 1."""
    durations: list[float] = []
    while True:
        durations.append(draw.lognormvariate(0, sigma))
        size = len(durations)
        if not is_looked_at(size, most):
            continue
        half_width = relative_half_width(durations)
        if size == most or (half_width is not None and half_width < 0.05):
            break
    ordered, rank = sorted(durations), interval_rank(size)
    assert rank is not None
    assert half_width == pytest.approx(
        (ordered[size - rank] - ordered[rank - 1]) / 2 / statistics.median(durations)
    )
    return ordered[rank - 1] <= 1 <= ordered[size - rank]


@pytest.mark.parametrize("sigma", [0.03, 0.06, 0.1, 0.2])
def test_looking_several_times_costs_little_coverage(sigma: float) -> None:
    draw = random.Random(1)
    runs = 1000
    assert sum(covered(draw, sigma, 50) for _ in range(runs)) / runs > 0.93
