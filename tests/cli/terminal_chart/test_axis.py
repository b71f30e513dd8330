"""Tests of l2sweep.cli.terminal_chart.axis."""

from __future__ import annotations

import pytest

from l2sweep.cli.terminal_chart.axis import Axis


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((1, 325), (0, 100, 200, 300, 400)),
        ((0.001, 0.0042), (0, 0.001, 0.002, 0.003, 0.004, 0.005)),
        ((90, 100), (0, 20, 40, 60, 80, 100)),
        ((-3, 7), (-4, -2, 0, 2, 4, 6, 8)),
        ((0, 0), (0, 1)),
    ],
)
def test_a_linear_axis_of_values_contains_0_and_ends_at_round_ticks(
    values: tuple[float, ...], ticks: tuple[float, ...]
) -> None:
    axis = Axis.of_values(values, 16, is_log=False, ticks=5)
    assert axis.ticks == pytest.approx(ticks)
    assert (axis.cell(ticks[0]), axis.cell(ticks[-1])) == (0, 15)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ((90, 400), (50, 100, 200, 500)),
        ((1, 10), (1, 2, 5, 10)),
        ((3, 3), (2, 5)),
        ((1, 1e6), (1, 10, 100, 1000, 1e4, 1e5, 1e6)),
        ((0.003, 0.02), (0.002, 0.005, 0.01, 0.02)),
    ],
)
def test_a_logarithmic_axis_of_values_ends_at_1_2_or_5_times_a_power_of_ten(
    values: tuple[float, ...], ticks: tuple[float, ...]
) -> None:
    assert Axis.of_values(values, 16, is_log=True, ticks=5).ticks == pytest.approx(ticks)


def test_an_axis_of_few_positions_has_a_tick_at_each_of_them() -> None:
    axis = Axis.of_positions((1, 2, 4, 8, 4), 60, is_log=True)
    assert axis.ticks == (1, 2, 4, 8)
    assert [axis.cell(tick) for tick in axis.ticks] == [0, 20, 39, 59]


@pytest.mark.parametrize("is_log", [False, True])
def test_an_axis_of_many_positions_has_round_ticks_within_them(is_log: bool) -> None:
    axis = Axis.of_positions(range(3, 5000, 7), 60, is_log=is_log)
    assert 2 <= len(axis.ticks) <= 12
    assert all(3 <= tick < 5000 and axis.label(tick).rstrip("0") in "125 15 25 35 45" for tick in axis.ticks)
    close = Axis.of_positions([101 + one / 100 for one in range(30)], 60, is_log=is_log)
    assert len(close.ticks) >= 2


def test_one_position_is_in_the_middle() -> None:
    assert Axis.of_positions((5,), 61, is_log=False).cell(5) == 30


@pytest.mark.parametrize(
    ("tick", "label"),
    [(4, "4"), (1048576, "1048576"), (0.30000000000000004, "0.3"), (0.0015, "0.0015"), (3e9, "3e+09")],
)
def test_a_label_has_no_digits_of_rounding_errors(tick: float, label: str) -> None:
    assert Axis(0, 1, 2, False, ()).label(tick) == label
