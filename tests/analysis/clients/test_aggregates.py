"""Three rates of several clients, their fairness, and how far apart they started."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sample_rows import MIB, Row, round_row

from l2sweep.analysis.clients.aggregates import client_rates, rates_by_phase


def client_row(client: int, start_s: float, duration_s: float, mib: float, **changes: Any) -> Row:
    """Return a round of one submit, which takes the whole round."""
    given = {
        "client": client,
        "clients": 2,
        "duration_s": duration_s,
        "bytes_ok": int(mib * MIB),
        "submit_latency_s": [duration_s],
        "submit_started_s": [0.0],
        **changes,
    }
    row = round_row("load", given.pop("number", 2), **given)
    return {**row, "started_at": row["started_at"] + timedelta(seconds=start_s)}


def test_clients_that_run_from_the_same_start_to_the_same_end_have_one_rate() -> None:
    rates = client_rates([client_row(0, 0, 2, 10), client_row(1, 0, 2, 10)])
    assert rates is not None
    assert rates.rate == rates.all_active_rate == rates.sum_of_rates == pytest.approx(10.0)
    assert (rates.fairness, rates.start_skew_s, rates.skewed_rounds) == (1.0, 0.0, 0)
    assert (rates.clients, rates.rounds) == (2, 1)


def test_a_straggler_lowers_the_rate_from_first_start_to_last_end_only() -> None:
    # One moves 8 MiB in 1 s; the other one 8 MiB in 4 s, and starts 1 s later.
    rates = client_rates([client_row(0, 0, 2, 8), client_row(1, 1, 4, 8)])
    assert rates is not None
    assert rates.rate == pytest.approx(16 / 5)
    assert rates.all_active_rate == pytest.approx(4 + 2)  # from 1 s to 2 s
    assert rates.sum_of_rates == pytest.approx(4 + 2)
    assert rates.fairness == pytest.approx(0.5)
    assert (rates.start_skew_s, rates.skewed_rounds) == (1.0, 1)


def test_only_the_submits_within_the_common_time_count_for_it() -> None:
    # The first client moves nothing after 1 s until its last submit, and the second one ends at 1 s.
    first = client_row(0, 0, 10, 4, submit_latency_s=[1.0, 1.0], submit_started_s=[0.0, 9.0])
    rates = client_rates([first, client_row(1, 0, 1, 4)])
    assert rates is not None
    assert rates.all_active_rate == pytest.approx(2 + 4)
    assert rates.sum_of_rates == pytest.approx(0.4 + 4)


def test_a_small_skew_is_no_mark() -> None:
    rates = client_rates([client_row(0, 0, 2, 8), client_row(1, 0.09, 2, 8)])
    assert rates is not None
    assert rates.skewed_rounds == 0
    assert rates.start_skew_s == pytest.approx(0.09)


def test_rounds_that_a_client_did_not_complete_and_warm_ups_do_not_count() -> None:
    good = [client_row(client, 0, 2, 10, number=3) for client in (0, 1)]
    lost = [client_row(0, 0, 1, 10, number=4)]
    failed = [client_row(0, 0, 1, 10, number=5), client_row(1, 0, 1, 0, number=5)]
    failed[1]["duration_s"] = None
    warmup = [client_row(client, 0, 1, 10, number=1, is_warmup=True) for client in (0, 1)]
    rates = client_rates([*warmup, *good, *lost, *failed])
    assert rates is not None
    assert (rates.rounds, rates.rate) == (1, pytest.approx(10.0))
    none = client_rates(lost)
    assert none is not None
    assert (none.rounds, none.rate, none.fairness) == (0, None, None)


def test_a_client_that_moved_nothing_is_as_unfair_as_can_be() -> None:
    rates = client_rates([client_row(0, 0, 2, 10), client_row(1, 0, 2, 0)])
    assert rates is not None
    assert rates.fairness == 0.0


def test_lookups_are_counted_in_keys() -> None:
    rows = [client_row(client, 0, 2, 0, keys_requested=8) for client in (0, 1)]
    rates = client_rates([{**row, "phase": "lookup"} for row in rows])
    assert rates is not None
    assert rates.rate == pytest.approx(8.0)


def test_over_several_processes_fairness_is_the_median() -> None:
    fair = [client_row(client, 0, 2, 10, repeat=0, point_index=0) for client in (0, 1)]
    unfair = [client_row(0, 0, 2, 10, point_index=1), client_row(1, 0, 2, 5, point_index=1)]
    rates = client_rates([*fair, *unfair])
    assert rates is not None
    assert rates.fairness == pytest.approx(0.75)
    assert rates.sum_of_rates == pytest.approx((10 + 7.5) / 2)


def test_a_point_with_one_client_has_no_such_rates() -> None:
    assert client_rates([round_row("load")]) is None
    assert rates_by_phase([round_row("load"), round_row("store")]) == {"load": None, "store": None}
