"""Tests of l2sweep.analysis.fleet.robust."""

from __future__ import annotations

import re

import numpy as np
import pytest
from conftest import ROOT

from l2sweep.analysis.fleet.examination import LEVEL
from l2sweep.analysis.fleet.robust import (
    LEAST_DEVIATION,
    deviation,
    known_medians,
    lowest_significant,
    p_values,
    scores,
)


def test_a_score_is_the_distance_from_the_median_in_scaled_median_deviations() -> None:
    values = np.array([-0.5, -0.2, 0.0, 0.1, 0.3])
    assert deviation(values) == pytest.approx(1.4826 * 0.2)
    assert scores(values) == pytest.approx(values / (1.4826 * 0.2))


def test_a_median_is_that_of_the_known_values() -> None:
    generator = np.random.default_rng(3)
    values = generator.standard_normal((200, 7))
    values[generator.random(values.shape) < 0.4] = np.nan
    values[0] = np.nan
    found = known_medians(values)
    assert np.isnan(found[0])
    expected = [np.median(row[~np.isnan(row)]) for row in values[1:] if not np.isnan(row).all()]
    assert found[1:][~np.isnan(found[1:])].tolist() == pytest.approx(expected)
    assert known_medians(np.array([[1.0], [np.nan]]))[0] == 1


def test_equal_rates_do_not_divide_by_zero() -> None:
    assert scores(np.zeros(8)).tolist() == [0.0] * 8
    almost = np.array([*[0.0] * 7, -0.01])
    assert scores(almost)[-1] == pytest.approx(-0.01 / LEAST_DEVIATION)


def test_slow_hosts_do_not_hide_each_other() -> None:
    generator = np.random.default_rng(1)
    values = generator.normal(0, 0.01, 12)
    values[:4] -= 0.5
    assert (scores(values)[:4] < -15).all()


@pytest.mark.parametrize("hosts", [3, 4, 8, 16, 100])
def test_the_slowest_of_equal_hosts_has_a_p_value_as_small_as_its_share_of_fleets(hosts: int) -> None:
    generator = np.random.default_rng(7)
    least = np.array([p_values(scores(generator.standard_normal(hosts)), hosts).min() for _ in range(4000)])
    for level, tolerance in ((0.5, 0.04), (0.1, 0.025), (0.01, 0.008)):
        assert (least <= level).mean() == pytest.approx(level, abs=tolerance)


def test_a_p_value_falls_with_the_score_beyond_all_made_fleets() -> None:
    found = p_values(-np.array([1.0, 5.0, 20.0, 100.0, 1e4, 1e6]), 8)
    assert (np.diff(found) < 0).all()
    assert 0 < found[-1] < 1e-9
    assert p_values(np.array([0.0, 3.0, 1e6]), 8).tolist() == [1.0, 1.0, 1.0]


def test_more_hosts_need_a_lower_score_once_the_deviation_is_known_well() -> None:
    limits = [lowest_significant(0.01, hosts) for hosts in (3, 4, 6, 8, 16, 64)]
    assert limits == sorted(limits, reverse=True)
    assert lowest_significant(0.01, 10_000) > lowest_significant(0.01, 256)
    assert p_values(-np.array([limits[3]]), 8)[0] == pytest.approx(0.01, rel=0.01)


def test_the_document_has_the_limits() -> None:
    text = (ROOT / "docs" / "fleet.md").read_text()
    rows = [re.search(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE) for name in ("hosts", "deviations")]
    hosts, limits = ([float(cell) for cell in row[1].split("|")] for row in rows if row)
    # Half of the level is spent on all points and phases together.
    found = [lowest_significant(LEVEL / 2, int(number)) for number in hosts]
    assert limits == pytest.approx(found, rel=0.03)


def test_few_hosts_need_a_much_lower_score_than_the_usual_limit() -> None:
    assert p_values(np.array([-3.5]), 8)[0] == pytest.approx(0.078, abs=0.005)
    assert lowest_significant(0.01, 3) > 40
