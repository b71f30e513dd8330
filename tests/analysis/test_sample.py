"""Tests of l2sweep.analysis.sample: statistics of samples in which some values are only bounds."""

from __future__ import annotations

import math
import random
import statistics
from fractions import Fraction

import pytest

from l2sweep.analysis.sample import Bound, Sample


def percentile(values: list[float], percent: float) -> float | None:
    """Return a percentile of a sample in which every value is known."""
    shown = Sample(tuple(values)).percentile(percent)
    assert shown is None or not shown.is_lower_bound
    return None if shown is None else shown.value


def smallest_that_covers(values: list[float], percent: int) -> float:
    """Return a nearest-rank percentile by its definition: the least value with enough values up to it."""
    share = Fraction(percent, 100)
    return min(x for x in values if Fraction(sum(y <= x for y in values), len(values)) >= share)


def test_percentiles_follow_the_nearest_rank_method_except_for_the_median() -> None:
    source = random.Random(1)
    for _ in range(150):
        values = [float(source.randrange(1000)) for _ in range(source.randrange(1, 130))]
        for percent in (1, 25, 75, 90, 95, 99):
            shown = percentile(values, percent)
            assert shown is None or shown == smallest_that_covers(values, percent)


@pytest.mark.parametrize("size", range(2, 9))
def test_p50_is_the_median(size: int) -> None:
    values = [float(value * value) for value in range(size)]
    assert percentile(values, 50) == statistics.median(values)


def test_p50_of_an_even_number_of_values_is_the_mean_of_the_two_middle_ones() -> None:
    assert percentile([4.0, 1.0], 50) == 2.5
    assert percentile([9.0, 1.0, 2.0, 4.0], 50) == 3.0


def test_rounding_errors_do_not_change_the_rank() -> None:
    values = [float(value) for value in range(1, 1001)]
    assert percentile(values, 16.1) == 161  # 16.1 * 1000 / 100 is 161.00000000000003
    assert [percentile(values[:100], percent) for percent in (1, 49, 51, 99)] == [1, 49, 51, 99]


def test_a_percentile_that_equals_the_maximum_by_rank_is_none() -> None:
    for size in range(1, 301):
        values = [float(value) for value in range(size)]
        for percent in (50, 99):
            is_maximum = smallest_that_covers(values, percent) == values[-1]
            assert (percentile(values, percent) is None) == is_maximum, (size, percent)


def test_p99_needs_100_values_and_the_median_needs_2() -> None:
    assert percentile([1.0] * 99, 99) is None
    assert percentile([*[1.0] * 99, 5.0], 99) == 1.0
    assert percentile([], 50) is None
    assert percentile([3.0], 50) is None


def test_a_value_that_did_not_finish_counts_as_at_least_its_bound() -> None:
    sample = Sample((0.1, 0.2, 0.3), unfinished=(0.4,))
    assert sample.maximum() == Bound(0.4, is_lower_bound=True)
    assert sample.percentile(50) == Bound(0.25, is_lower_bound=False)
    assert sample.percentile(25) == Bound(0.1, is_lower_bound=False)
    assert sample.mean() == Bound(0.25, is_lower_bound=True)
    assert sample.minimum() == Bound(0.1, is_lower_bound=False)


def test_a_percentile_that_falls_on_a_bound_is_a_lower_bound() -> None:
    sample = Sample((0.1,), unfinished=(0.4, 0.4))
    assert sample.percentile(50) == Bound(0.4, is_lower_bound=True)
    assert Sample((0.1, 0.2), unfinished=(0.4, 0.4)).percentile(50) == Bound(
        pytest.approx(0.3), is_lower_bound=True
    )


def test_a_percentile_above_a_bound_is_a_lower_bound() -> None:
    sample = Sample((0.5, 0.6, 0.7), unfinished=(0.1,))
    assert sample.percentile(50) == Bound(pytest.approx(0.55), is_lower_bound=True)
    assert sample.maximum() == Bound(0.7, is_lower_bound=True)
    assert sample.minimum() == Bound(0.1, is_lower_bound=True)


def test_a_bound_that_equals_a_value_is_sorted_behind_it() -> None:
    assert Sample((0.1, 0.4, 0.4), unfinished=(0.4, 0.4)).percentile(50) == Bound(0.4, is_lower_bound=False)


def test_a_statistic_of_a_sample_with_bounds_is_never_above_the_true_one() -> None:
    source = random.Random(2)
    for _ in range(300):
        true = [source.random() for _ in range(source.randrange(1, 120))]
        limit = source.random()
        finished = tuple(value for value in true if value <= limit)
        late = tuple(limit if source.random() < 0.5 else value / 2 for value in true if value > limit)
        sample, known = Sample(finished, late), Sample(tuple(true))
        for percent in (1, 50, 90, 99):
            shown, exact = sample.percentile(percent), known.percentile(percent)
            assert (shown is None) == (exact is None)
            if shown is not None and exact is not None:
                assert shown.value <= exact.value
                assert shown.is_lower_bound or shown.value == exact.value
        for shown, exact in ((sample.maximum(), known.maximum()), (sample.minimum(), known.minimum())):
            assert shown is not None
            assert exact is not None
            assert shown.value <= exact.value
            assert shown.is_lower_bound or shown.value == exact.value


def test_an_empty_sample_has_no_statistics() -> None:
    empty = Sample(())
    assert (empty.percentile(50), empty.mean(), empty.minimum(), empty.maximum()) == (None,) * 4
    assert empty.standard_deviation() is None


def test_a_standard_deviation_needs_two_values_and_divides_by_n_minus_1() -> None:
    assert Sample((1.0,)).standard_deviation() is None
    assert Sample((1.0, 3.0)).standard_deviation() == pytest.approx(math.sqrt(2))


def test_a_sample_with_bounds_has_no_standard_deviation() -> None:
    assert Sample((1.0, 3.0), unfinished=(4.0,)).standard_deviation() is None
