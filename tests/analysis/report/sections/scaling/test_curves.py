"""The curves of the section Scaling, computed again from made rows."""

from __future__ import annotations

from typing import Any

import pytest
from made_clients import ROUNDS, client_rows
from made_reports import made_rows, source_of
from sample_rows import Row

from l2sweep.analysis.report.contents.scaling import ScalingCurve
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.scaling.curves import scaling
from l2sweep.analysis.report.sections.throughput import throughput

RATES = {1: (100.0, 102.0, 98.0), 2: (180.0, 190.0, 185.0), 4: (186.0, 188.0, 184.0)}


def curves_of(rounds: list[Row], points: list[Row]) -> tuple[ScalingCurve, ...]:
    return scaling(Measured.of(source_of(rounds, points))).curves


def test_a_curve_has_the_three_rates_the_fairness_and_the_ideal_of_each_number_of_clients() -> None:
    (curve,) = curves_of(*client_rows(RATES, fairness=0.8))
    assert (curve.phase, curve.temperature, curve.adapter, curve.label) == ("load", "cold", "fs", "")
    assert [one.clients for one in curve.points] == [1, 2, 4]
    assert [one.rate for one in curve.points] == pytest.approx([100, 185, 186])
    assert [one.processes for one in curve.points] == [3, 3, 3]
    assert [one.ideal_rate for one in curve.points] == pytest.approx([100, 200, 400])
    assert [one.client_scaling for one in curve.points] == pytest.approx([1, 1.85, 1.86])
    one, two, four = curve.points
    assert (one.client_fairness, one.all_active_rate, one.sum_of_client_rates) == (None, None, None)
    assert (two.client_fairness, four.client_fairness) == pytest.approx((0.8, 0.8))
    # The first of two clients has half of the rate in 0.8 of the time.
    assert two.sum_of_client_rates == pytest.approx(185 / 2 * (1 + 1 / 0.8))
    assert two.all_active_rate == pytest.approx(185 / 2 * (1 + 1 / 0.8))
    assert (two.skewed_rounds, two.client_rounds, two.start_skew_s) == (0, 3 * ROUNDS, 0.0)
    assert two.rate_low is not None
    assert two.rate_high is not None
    assert 180 <= two.rate_low <= 185 <= two.rate_high <= 190
    assert two.client_scaling_low is not None
    assert two.client_scaling_high is not None
    assert 180 / 102 <= two.client_scaling_low <= 1.85 <= two.client_scaling_high <= 190 / 98


def test_a_lookup_is_counted_in_keys() -> None:
    (curve,) = curves_of(*client_rows(RATES, "lookup"))
    assert (curve.unit, curve.temperature) == ("keys/s", "hot")
    assert [one.rate for one in curve.points] == pytest.approx([100, 185, 186])


@pytest.mark.parametrize("rates", [{1: (100.0,)}, {2: (150.0, 151.0)}])
def test_one_number_of_clients_makes_no_curve(rates: dict[int, tuple[float, ...]]) -> None:
    assert curves_of(*client_rows(rates)) == ()


def test_a_sweep_without_clients_has_no_curve() -> None:
    assert curves_of(*made_rows()) == ()


def both(*parts: tuple[list[Row], list[Row]]) -> tuple[list[Row], list[Row]]:
    return [row for rounds, _ in parts for row in rounds], [row for _, points in parts for row in points]


def test_options_and_sizes_have_curves_of_their_own() -> None:
    few = {1: (100.0,), 2: (150.0,)}
    found = curves_of(
        *both(
            client_rows(few, num_workers=1),
            client_rows(few, num_workers=4, first_index=10),
            client_rows(few, num_workers=4, first_index=20, data_size_kb=64),
            client_rows(few, "store", type="resp", first_index=30),
        )
    )
    assert [(one.phase, one.adapter, one.label) for one in found] == [
        ("load", "fs", "num_workers=1 data_size_kb=256"),
        ("load", "fs", "num_workers=4 data_size_kb=64"),
        ("load", "fs", "num_workers=4 data_size_kb=256"),
        ("store", "resp", ""),
    ]
    assert all(len(one.points) == 2 for one in found)


def test_clients_on_several_hosts_are_counted_over_all_of_them() -> None:
    """Client 0 is on the first host; a point with one host may have run on another one."""
    found = curves_of(
        *both(
            client_rows({1: (100.0,)}, host="bench-2"),
            client_rows({2: (190.0,), 4: (350.0,)}, hosts={2: 2, 4: 4}, first_index=10, host="bench-1"),
        )
    )
    (curve,) = found
    assert [(one.clients, one.hosts) for one in curve.points] == [(1, 1), (2, 2), (4, 4)]
    assert curve.points[2].client_scaling == pytest.approx(3.5)


def test_the_same_number_of_clients_on_one_and_on_two_hosts_is_two_curves_with_one_ideal() -> None:
    found = curves_of(
        *both(
            client_rows({1: (100.0,), 2: (150.0,), 4: (160.0,)}),
            client_rows({2: (190.0,), 4: (300.0,)}, hosts={2: 2, 4: 2}, first_index=10),
        )
    )
    assert [one.label for one in found] == ["hosts=1", "hosts=2"]
    assert [[one.clients for one in curve.points] for curve in found] == [[1, 2, 4], [2, 4]]
    assert [one.ideal_rate for one in found[1].points] == [200, 400]


def test_hosts_that_measured_by_themselves_have_a_curve_each() -> None:
    few = {1: (100.0,), 2: (150.0,)}
    found = curves_of(
        *both(client_rows(few, host="bench-1"), client_rows(few, host="bench-2", first_index=10))
    )
    assert [one.label for one in found] == ["host bench-1", "host bench-2"]


def test_a_process_that_failed_is_counted_and_has_no_rate() -> None:
    rounds, points = client_rows({1: (100.0,), 2: (150.0,), 4: (160.0,)})
    for row in rounds:
        if row["clients"] == 4 and row["round"] == 3:
            row.update(status="error", duration_s=None)
    (curve,) = curves_of(rounds, points)
    last = curve.points[-1]
    assert (last.processes, last.failed_processes, last.rate, last.client_fairness) == (0, 1, None, None)
    assert last.ideal_rate == pytest.approx(400)


def test_without_one_client_there_is_no_ideal() -> None:
    (curve,) = curves_of(*client_rows({2: (150.0,), 4: (160.0,)}))
    missing: list[Any] = [(one.ideal_rate, one.client_scaling) for one in curve.points]
    assert missing == [(None, None), (None, None)]


def test_a_report_without_one_client_does_not_say_that_nothing_was_measured() -> None:
    measured = Measured.of(source_of(*client_rows({2: (150.0,), 4: (160.0,)})))
    (sentence,) = throughput(measured, None).not_measured
    assert sentence.startswith("Not measured: throughput of one client.")
