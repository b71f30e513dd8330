"""Intervals by resampling processes."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest

from l2sweep.analysis.tune.bootstrap import SAMPLES, Interval, interval, most_coverage, resampled_medians


def test_medians_have_the_distribution_of_all_possible_resamples() -> None:
    values = (1.0, 5.0, 6.0, 20.0)
    medians = resampled_medians([values])
    assert medians is not None
    assert medians.shape == (SAMPLES, 1)
    exact = [statistics.median(drawn) for drawn in itertools.product(values, repeat=4)]
    for limit in (2.0, 5.2, 6.2, 10.0):
        share = float((medians[:, 0] <= limit).mean())
        # Four standard errors of a share of 2,000 draws are at most 0.045.
        assert share == pytest.approx(np.mean(np.array(exact) <= limit), abs=0.045)


def test_settings_are_resampled_independently() -> None:
    medians = resampled_medians([range(20), range(20)])
    assert medians is not None
    assert abs(np.corrcoef(medians.T)[0, 1]) < 0.1


def test_the_same_rows_give_the_same_interval() -> None:
    first, second = (resampled_medians([(1.0, 2.0, 7.0)]) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first == second).all()


@pytest.mark.parametrize("samples", [[], [(1.0, 2.0)], [(1.0, 2.0, 3.0), (1.0,)]])
def test_too_few_processes_have_no_interval(samples: list[tuple[float, ...]]) -> None:
    assert resampled_medians(samples) is None
    assert interval(None) is None


def test_an_interval_ends_at_values_of_the_sample() -> None:
    values = np.arange(1.0, 1001.0)
    assert interval(values) == Interval(25.0, 975.0)


@pytest.mark.parametrize(("processes", "share"), [(2, 0.5), (3, 0.75), (6, 0.96875)])
def test_the_coverage_of_few_processes_is_bounded(processes: int, share: float) -> None:
    assert most_coverage(processes) == share
