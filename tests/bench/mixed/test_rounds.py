"""Which rounds count whose stores and loads should run at the same time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.mixed import rounds as mixed

ROUND = RoundMeasured(
    phase="load",
    round=1,
    is_warmup=False,
    status="ok",
    detail="",
    started_at_s=None,
    duration_s=None,
    keys_requested=1,
    keys_expected=1,
    keys_ok=1,
    bytes_requested=1,
    bytes_ok=1,
    submit_latency_s=[],
    verified_keys=0,
    mismatched_keys=0,
    cpu_user_s=0.0,
    cpu_sys_s=0.0,
    device_read_bytes=None,
    device_write_bytes=None,
)


def a_round(start_s: float, end_s: float, status: str = "ok") -> RoundMeasured:
    return replace(ROUND, started_at_s=start_s, elapsed_s=end_s - start_s, status=status)


OTHERS = [a_round(10, 12), a_round(13, 15), a_round(18, 20)]


@pytest.mark.parametrize(
    ("start_s", "end_s", "fraction"),
    [(10, 12, 1.0), (11, 14, 2 / 3), (12, 13, 0.0), (15, 18, 0.0), (0, 40, 6 / 40), (19, 21, 0.5)],
)
def test_the_fraction_is_the_time_in_which_a_round_of_the_other_side_was_in_flight(
    start_s: float, end_s: float, fraction: float
) -> None:
    assert mixed._beside_fraction(a_round(start_s, end_s), OTHERS) == pytest.approx(fraction)


def side(*rounds: RoundMeasured, is_ended: bool = False) -> mixed._Side:
    return mixed._Side(None, 2, list(rounds), is_ended=is_ended)  # type: ignore[arg-type]


def test_a_round_counts_once_the_other_side_has_passed_it() -> None:
    own, other = side(a_round(10, 12), a_round(14, 17)), side(a_round(9, 13))
    own.settle(other)
    assert [one.beside_fraction for one in own.counted] == [1.0]
    other.measured.append(a_round(14, 16))
    own.settle(other)
    assert len(own.counted) == 1
    other.is_ended = True
    own.settle(other)
    assert [one.beside_fraction for one in own.counted] == [1.0, pytest.approx(2 / 3)]


def test_a_round_that_was_mostly_alone_does_not_count_unless_it_failed() -> None:
    alone, failed = a_round(10, 12), a_round(10, 12, status="error")
    own = side(alone, failed, ROUND)
    own.settle(side(a_round(11.5, 20), is_ended=True))
    assert [one.status for one in own.counted] == ["error", "ok"]
    assert own.is_ready
