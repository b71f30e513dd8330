"""Tests of l2sweep.analysis.compare.variance."""

from __future__ import annotations

import numpy as np
import pytest

from l2sweep.analysis.compare.variance import NightAllowance, moderated, spread, with_night_allowance


def normal(*shape: int, scale: float = 0.01, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, scale, shape)


def test_with_one_night_on_each_side_the_processes_are_the_units() -> None:
    base, candidate = np.array([[[0.1, 0.2, 0.3]]]), np.array([[[0.4, 0.6]]])
    found = spread(base, candidate)
    assert found.difference[0] == pytest.approx(0.3)
    assert found.unit_variance[0] == pytest.approx((0.02 + 0.02) / 3)
    assert found.degrees_of_freedom[0] == 3
    assert found.factor[0] == pytest.approx(1 / 3 + 1 / 2)
    assert not found.by_night[0]


def test_with_several_nights_the_variance_between_nights_counts() -> None:
    nights = np.array([[[0.0, 0.01], [0.1, 0.11], [0.2, 0.21]]])
    found = spread(nights, np.array([[[0.3, 0.31]]]))
    assert found.by_night[0]
    assert found.degrees_of_freedom[0] == 2
    assert found.factor[0] == pytest.approx(1 + 1 / 3)
    assert found.unit_variance[0] == pytest.approx(0.01, rel=0.01)  # of 0.0, 0.1 and 0.2


def test_a_night_with_fewer_processes_is_less_certain() -> None:
    nights = np.random.default_rng(5).normal(0, 0.05, (1, 7, 3))
    whole, single = np.zeros((1, 1, 3)), np.array([[[0.0, np.nan, np.nan]]])
    assert spread(nights, single).unit_variance[0] > spread(nights, whole).unit_variance[0]


def test_a_single_process_on_each_side_has_no_variance() -> None:
    found = spread(np.zeros((1, 1, 1)), np.ones((1, 1, 1)))
    assert found.degrees_of_freedom[0] == 0
    assert np.isnan(found.standard_error[0])


def test_equal_variances_are_shrunk_to_a_common_one_with_more_degrees_of_freedom() -> None:
    own = spread(normal(40, 1, 3), normal(40, 1, 3, seed=6))
    shrunk = moderated(own, np.zeros(40, dtype=int))
    assert np.std(shrunk.unit_variance) < np.std(own.unit_variance) / 3
    assert (shrunk.degrees_of_freedom > 10).all()
    assert shrunk.unit_variance.mean() == pytest.approx(1e-4, rel=0.3)


def test_variances_that_differ_are_left_nearly_as_they_are() -> None:
    scales = np.exp(np.random.default_rng(1).normal(0, 2, 40))[:, None, None]
    own = spread(normal(40, 1, 6) * scales, normal(40, 1, 6, seed=6) * scales)
    shrunk = moderated(own, np.zeros(40, dtype=int))
    assert (shrunk.degrees_of_freedom < 15).all()
    assert np.median(np.abs(np.log(shrunk.unit_variance / own.unit_variance))) < 0.2


def test_groups_have_variances_of_their_own() -> None:
    scales = np.repeat([1.0, 100.0], 20)[:, None, None]
    own = spread(normal(40, 1, 3) * scales, normal(40, 1, 3, seed=6) * scales)
    shrunk = moderated(own, np.repeat([0, 1], 20))
    assert shrunk.unit_variance[20:].min() > 1000 * shrunk.unit_variance[:20].max()


def test_fewer_than_four_members_are_not_shrunk() -> None:
    own = spread(normal(3, 1, 3), normal(3, 1, 3, seed=6))
    shrunk = moderated(own, np.zeros(3, dtype=int))
    assert (shrunk.degrees_of_freedom == 4).all()
    assert shrunk.unit_variance == pytest.approx(own.unit_variance)


def test_points_that_vary_together_get_no_degrees_of_freedom_from_each_other() -> None:
    shared = np.random.default_rng(2).normal(0, 0.05, (1, 7, 1))
    nights = normal(8, 7, 3, scale=0.001) + shared
    found = moderated(spread(nights, normal(8, 1, 3, scale=0.001)), np.zeros(8, dtype=int))
    assert (found.degrees_of_freedom < 8).all()
    apart = normal(8, 7, 3, scale=0.05)
    independent = moderated(spread(apart, normal(8, 1, 3, scale=0.05)), np.zeros(8, dtype=int))
    assert (independent.degrees_of_freedom > 20).all()


def test_the_allowance_for_nights_is_added_only_where_nights_cannot_be_compared() -> None:
    processes = spread(normal(1, 1, 3), normal(1, 1, 3, seed=6))
    least = NightAllowance(0.02, share=0)
    allowed = with_night_allowance(processes, least)
    assert allowed.standard_error**2 == pytest.approx(processes.standard_error**2 + 2 * 0.02**2)
    assert allowed.degrees_of_freedom[0] > processes.degrees_of_freedom[0]
    nights = spread(normal(1, 7, 3), normal(1, 1, 3))
    assert with_night_allowance(nights, least).standard_error == nights.standard_error


def test_nights_are_taken_to_differ_by_a_share_of_the_deviation_of_noisy_processes() -> None:
    processes = spread(normal(1, 1, 3, scale=0.2), normal(1, 1, 3, seed=6, scale=0.2))
    allowed = with_night_allowance(processes, NightAllowance(0.001, share=0.5))
    assert allowed.standard_error**2 == pytest.approx(
        processes.standard_error**2 + 2 * 0.5**2 * processes.unit_variance
    )
    # What follows from the estimate is no more certain than the estimate.
    assert allowed.degrees_of_freedom == processes.degrees_of_freedom


def test_p_values_of_quiet_points_are_small_as_often_as_they_should_be() -> None:
    from l2sweep.analysis.compare.significance import significance

    generator = np.random.default_rng(3)
    small = []
    for _ in range(60):
        scale = 0.02 * np.exp(generator.normal(0, 0.3, (48, 1, 1)))
        sides = [generator.normal(0, 1, (48, nights, 3)) * scale for nights in (7, 1)]
        shrunk = moderated(spread(*sides), np.repeat(np.arange(6), 8))
        small.append(significance(shrunk, 0.01, np.zeros(48, dtype=bool)).p < 0.01)
    assert 0.003 < np.mean(small) < 0.015
