"""Tests of l2sweep.analysis.statistics: bytes that did not move in time never increase a throughput."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest
from sample_rows import MIB, STEM, nothing_moved, point_row, round_row, second_of_trace, timed_out

from l2sweep.analysis.sample import Bound
from l2sweep.analysis.statistics import summarise, summarise_point
from l2sweep.records.reader import load_rounds
from l2sweep.records.writer import write_point

PHASES = ("store", "lookup", "load")


def test_throughput_is_total_bytes_over_total_time() -> None:
    rounds = [round_row("store", 1, duration_s=0.01), round_row("store", 2, duration_s=1.99)]
    summary = summarise("store", rounds)
    assert summary.mib_per_s == pytest.approx(4 / 2.0)
    assert summary.mib_per_s_min == pytest.approx(2 / 1.99)
    assert summary.mib_per_s_max == pytest.approx(2 / 0.01)
    mean_of_rates = statistics.mean([2 / 0.01, 2 / 1.99])
    assert mean_of_rates > 50 * (4 / 2.0)
    assert summary.keys_per_s == pytest.approx(16 / 2.0)
    assert summary.latency_per_key_s == pytest.approx(2.0 / 16)


@pytest.mark.parametrize("status", ["partial", "error"])
def test_only_moved_bytes_count(status: str) -> None:
    partial = round_row("store", status=status, keys_ok=2, bytes_ok=MIB // 2)
    summary = summarise("store", [partial])
    assert summary.mib_per_s == pytest.approx(1.0)
    assert summary.keys_per_s == pytest.approx(4.0)
    assert summary.total_keys == 8
    assert summary.total_ok == 2
    assert summary.ok_rounds == 0
    assert summary.status == "1 of 1 rounds not ok"


def test_a_round_that_timed_out_has_no_duration_and_no_throughput() -> None:
    summary = summarise("load", [timed_out("load", 1), round_row("load", 2)])
    assert summary.rounds == 2
    assert summary.timed_out_rounds == 1
    assert summary.durations_s == (0.5,)
    assert summary.mib_per_s == pytest.approx(2 / 0.5)
    assert summary.keys_per_s == pytest.approx(8 / 0.5)
    assert summary.total_keys == 16
    assert summary.submit_latency_s == (0.25, 0.25, 0.5)
    assert summary.status == "1 of 2 rounds not ok"


def test_a_phase_whose_rounds_all_timed_out_has_no_throughput() -> None:
    summary = summarise("store", [timed_out("store", 1), timed_out("store", 2)])
    assert summary.durations_s == ()
    speeds = (summary.mib_per_s, summary.mib_per_s_min, summary.mib_per_s_max, summary.keys_per_s)
    assert speeds == (None, None, None, None)
    assert summary.latency_per_key_s is None


@pytest.mark.parametrize("phase", ["store", "load"])
def test_a_phase_that_moved_nothing_has_zero_throughput(phase: str) -> None:
    summary = summarise(phase, [nothing_moved(phase, number) for number in (1, 2)])
    assert summary.mib_per_s == 0
    assert summary.mib_per_s_max == 0
    assert summary.keys_per_s == 0
    assert summary.latency_per_key_s is None


def test_the_duration_of_a_round_that_moved_nothing_counts() -> None:
    summary = summarise("load", [round_row("load", 1), nothing_moved("load", 2, duration_s=1.5)])
    assert summary.mib_per_s == pytest.approx(2 / 2.0)
    assert summary.mib_per_s_min == 0


def test_warm_up_rounds_do_not_count() -> None:
    measured = [round_row("load", 1), round_row("load", 3, duration_s=1.0)]
    warmup = timed_out("load", 2, is_warmup=True, verified_keys=3, mismatched_keys=3)
    slow = round_row("load", 4, is_warmup=True, duration_s=50.0, keys_requested=99, submit_latency_s=[9.0])
    assert summarise("load", [measured[0], warmup, measured[1], slow]) == summarise("load", measured)
    assert summarise("load", [warmup, slow]).rounds == 0


def test_rounds_of_other_phases_do_not_count() -> None:
    rows = [round_row("store", 1), round_row("load", 2, duration_s=9.0), round_row("lookup", 3)]
    assert summarise("store", rows) == summarise("store", rows[:1])


def test_a_lookup_has_no_throughput_and_its_misses_are_answers() -> None:
    summary = summarise("lookup", [round_row("lookup", 1), round_row("lookup", 2, keys_ok=3)])
    assert (summary.mib_per_s, summary.mib_per_s_min, summary.mib_per_s_max) == (None, None, None)
    assert summary.keys_per_s == pytest.approx(16 / 1.0)
    assert summary.expected_hits == 8
    assert summary.actual_hit_rate == pytest.approx(7 / 16)


def test_only_lookups_have_a_hit_rate() -> None:
    store = summarise("store", [round_row("store")])
    assert store.actual_hit_rate is None
    assert store.expected_hits == 0
    assert summarise("lookup", [round_row("lookup", keys_expected=0, keys_ok=0)]).actual_hit_rate == 0


def test_a_phase_without_rounds_has_no_numbers() -> None:
    summary = summarise("load", [])
    assert summary.rounds == summary.keys_per_round == summary.total_keys == 0
    speeds = (summary.mib_per_s, summary.keys_per_s, summary.latency_per_key_s, summary.actual_hit_rate)
    assert speeds == (None, None, None, None)


def test_verified_and_mismatched_keys_are_summed() -> None:
    rows = [round_row("load", 1), round_row("load", 2, status="partial", keys_ok=5, mismatched_keys=3)]
    summary = summarise("load", rows)
    assert (summary.verified_keys, summary.mismatched_keys) == (16, 3)


def test_flushes_have_a_mean_and_reduce_the_durable_throughput() -> None:
    rounds = [round_row("store", 1, flush_s=0.5), round_row("store", 2, flush_s=1.5)]
    not_flushed = round_row("store", 3, flush_s=None)
    summary = summarise("store", [*rounds, not_flushed])
    assert summary.flush_s == pytest.approx(1.0)
    assert summary.durable_mib_per_s == pytest.approx(4 / (0.5 + 0.5 + 0.5 + 1.5))
    assert summarise("store", [not_flushed]).durable_mib_per_s is None


@pytest.mark.parametrize("status", ["error", "partial"])
def test_bytes_of_a_round_that_is_not_ok_are_not_durable_but_its_time_counts(status: str) -> None:
    not_durable = round_row("store", 2, status=status, dirty_after_flush_bytes=4096)
    summary = summarise("store", [round_row("store", 1), not_durable])
    assert summary.mib_per_s == pytest.approx(4 / 1.0)
    assert summary.durable_mib_per_s == pytest.approx(2 / 2.0)
    assert summarise("store", [not_durable]).durable_mib_per_s == 0


def test_different_cache_states_are_joined() -> None:
    rounds = [
        round_row("load", number, cache_state=state) for number, state in enumerate(["warm", "cold", None])
    ]
    assert summarise("load", rounds).cache_state == "cold/warm"
    assert summarise("load", rounds[2:]).cache_state is None


def test_the_status_is_ok_if_every_round_is_ok() -> None:
    assert summarise("load", [round_row("load")]).status == "ok"


def test_claimed_is_a_cache_state_of_its_own() -> None:
    claimed = [round_row("load", number, cache_state="claimed") for number in (1, 2)]
    assert summarise("load", claimed).cache_state == "claimed"
    assert summarise("load", [*claimed, round_row("load", 3)]).cache_state == "claimed/cold"


def test_throughput_over_elapsed_time_includes_the_rounds_that_timed_out() -> None:
    rows = [round_row("load", number) for number in range(5)]
    rows += [timed_out("load", number, elapsed_s=4.0) for number in (5, 6)]
    summary = summarise("load", rows)
    assert summary.mib_per_s == pytest.approx(10 / 2.5)
    assert summary.mib_per_s_elapsed == pytest.approx((10 + 2 * 1) / (2.5 + 2 * 4.0))
    assert summary.keys_per_s == pytest.approx(40 / 2.5)
    assert summary.keys_per_s_elapsed == pytest.approx((40 + 2 * 4) / (2.5 + 2 * 4.0))


def test_without_time_outs_both_throughputs_are_the_same() -> None:
    summary = summarise("load", [round_row("load", number, duration_s=0.1 * number) for number in (1, 2, 3)])
    assert summary.mib_per_s == summary.mib_per_s_elapsed
    assert summary.keys_per_s == summary.keys_per_s_elapsed


def test_a_lookup_has_only_keys_over_elapsed_time() -> None:
    summary = summarise("lookup", [round_row("lookup", 1), timed_out("lookup", 2)])
    assert summary.mib_per_s_elapsed is None
    assert summary.keys_per_s_elapsed == pytest.approx(8 / 1.5)


def test_throughput_over_elapsed_time_is_unknown_if_the_time_of_a_round_is() -> None:
    rows = [round_row("load", 1), timed_out("load", 2, elapsed_s=None)]
    assert summarise("load", rows).mib_per_s_elapsed is None


def test_a_round_that_was_not_run_takes_no_time() -> None:
    not_run = nothing_moved("load", 2, started_at=None, duration_s=None, elapsed_s=None)
    assert summarise("load", [round_row("load", 1), not_run]).mib_per_s_elapsed == pytest.approx(2 / 0.5)


def test_submits_and_rounds_that_timed_out_count_as_at_least_their_limit() -> None:
    summary = summarise("load", [round_row("load", 1), timed_out("load", 2)])
    assert summary.submit_latencies.maximum() == Bound(1.0, is_lower_bound=True)
    assert summary.submit_latencies.percentile(50) == Bound(0.375, is_lower_bound=False)
    assert summary.durations.maximum() == Bound(1.0, is_lower_bound=True)
    assert summary.durations.percentile(50) == Bound(0.75, is_lower_bound=True)


def test_keys_of_a_lookup_that_timed_out_are_not_in_the_hit_rate() -> None:
    half_found = timed_out("lookup", 2, keys_ok=2)
    assert summarise("lookup", [round_row("lookup", 1), half_found]).actual_hit_rate == 0.5
    assert summarise("lookup", [half_found]).actual_hit_rate is None


def test_false_answers_and_sampled_keys_are_summed() -> None:
    rows = [round_row("lookup", number, false_hits=number, false_misses=1) for number in (1, 2)]
    lookup = summarise("lookup", rows)
    assert (lookup.false_hits, lookup.false_misses) == (3, 2)
    load = summarise("load", [round_row("load", 1, sampled_keys=3), round_row("load", 2)])
    assert (load.sampled_keys, load.false_hits, load.false_misses) == (11, None, None)


def test_rows_of_earlier_versions_have_no_bounds_and_no_checks() -> None:
    added = (
        *("submit_unfinished_s", "elapsed_s", "sampled_keys", "false_hits", "false_misses"),
        *("block_device_read_bytes", "block_device_write_bytes", "dirty_after_flush_bytes"),
    )
    rows = [round_row("load", 1), timed_out("load", 2)]
    for missing in (None, math.nan):
        old = [{**row, **dict.fromkeys(added, missing)} for row in rows]
        without = [{name: value for name, value in row.items() if name not in added} for row in rows]
        summary = summarise("load", old)
        assert summary == summarise("load", without)
        assert summary.submit_latencies.maximum() == Bound(0.5)
        assert (summary.mib_per_s_elapsed, summary.sampled_keys, summary.false_hits) == (None, None, None)


def test_rows_that_pandas_read_have_the_same_summary(tmp_path: Path) -> None:
    rows = [
        *(round_row(phase, number) for phase in PHASES for number in (1, 2)),
        *(timed_out(phase, 3) for phase in PHASES),
        nothing_moved("load", 4, started_at=None, duration_s=None, elapsed_s=None),
    ]
    write_point(tmp_path, STEM, rows, [point_row()])
    read = load_rounds(tmp_path).to_dict("records")
    for phase in PHASES:
        assert summarise(phase, read) == summarise(phase, rows)


def states(rounds: list[dict[str, object]], *points: dict[str, object]) -> dict[str, str]:
    """Return the status of each phase."""
    return {summary.phase: summary.status for summary in summarise_point(PHASES, rounds, points)}


def complete(*phases: str) -> list[dict[str, object]]:
    return [round_row(phase, number) for phase in phases for number in (2, 3, 4)]


def test_each_phase_of_an_ok_point_is_ok() -> None:
    assert states(complete(*PHASES), point_row()) == dict.fromkeys(PHASES, "ok")


@pytest.mark.parametrize("status", ["crashed", "timeout", "memory_limit", "stopped", "failed"])
def test_a_phase_whose_process_ended_early_tells_how_many_rounds_were_measured(status: str) -> None:
    warmup = round_row("lookup", 1, is_warmup=True)
    rounds = [*complete("store"), warmup, round_row("lookup", 2)]
    assert states(rounds, point_row(status=status)) == {
        "store": "ok",
        "lookup": f"1 of 3 rounds, {status}",
        "load": f"0 of 3 rounds, {status}",
    }


def test_rounds_that_are_not_ok_are_counted_beside_the_missing_ones() -> None:
    rounds = [*complete("store", "lookup"), round_row("load", 2), timed_out("load", 3)]
    assert states(rounds, point_row(status="crashed"))["load"] == "2 of 3 rounds, crashed, 1 not ok"
    rounds.append(nothing_moved("load", 4))
    assert states(rounds, point_row(status="failed"))["load"] == "2 of 3 rounds not ok"
    assert states(rounds, point_row(status="failed"))["store"] == "ok"


def test_fewer_rounds_than_requested_are_never_ok() -> None:
    assert states(complete(*PHASES)[:-1], point_row())["load"] == "2 of 3 rounds"


def test_a_process_that_ended_badly_after_its_last_round_is_shown_at_the_last_phase() -> None:
    for status in ("crashed", "failed"):
        assert states(complete(*PHASES), point_row(status=status)) == {
            "store": "ok",
            "lookup": "ok",
            "load": f"3 of 3 rounds, {status}",
        }
    partial = [*complete("lookup", "load"), *complete("store")[:2], nothing_moved("store", 4)]
    assert states(partial, point_row(status="failed"))["load"] == "ok"  # the store explains it
    assert states(partial, point_row(status="crashed"))["load"] == "3 of 3 rounds, crashed"


def test_stores_that_their_load_proves_wrong_are_counted_apart() -> None:
    bad = {"status": "unconfirmed", "keys_ok": 0, "bytes_ok": 0}
    stores = [round_row("store", 2), round_row("store", 3, **bad), nothing_moved("store", 4)]
    wrong = [*stores, *complete("lookup"), round_row("load", 3, status="partial", mismatched_keys=1)]
    found = states(wrong, point_row(status="failed"))["store"]
    assert found == "1 of 3 rounds not ok, 1 of 3 rounds not confirmed: the load found wrong bytes"
    missing = [round_row("store", 2, **bad), *complete("lookup"), round_row("load", 2, status="partial")]
    found = states(missing, point_row(status="crashed"))["store"]
    assert found == "1 of 3 rounds, crashed, 1 not confirmed: the load found keys missing"


def test_unconfirmed_stores_have_no_throughput() -> None:
    bad = {"status": "unconfirmed", "keys_ok": 0, "bytes_ok": 0}
    summary = summarise("store", [round_row("store", 1), round_row("store", 2, **bad)])
    assert (summary.ok_rounds, summary.unconfirmed_rounds, summary.mib_per_s) == (1, 1, 2.0)
    assert summary.durable_mib_per_s == 1.0
    assert summarise("store", [round_row("store", 2, **bad)]).mib_per_s_elapsed == 0


def test_each_phase_of_a_cold_point_has_the_status_of_its_own_process() -> None:
    processes = [
        point_row(phase=phase, status=status)
        for phase, status in zip(PHASES, ("ok", "ok", "warm"), strict=True)
    ]
    assert states(complete(*PHASES), *processes) == {
        "store": "ok",
        "lookup": "ok",
        "load": "3 of 3 rounds, warm",
    }


def test_a_phase_whose_process_was_not_started_has_the_status_that_ended_the_point() -> None:
    processes = [point_row(phase="store"), point_row(phase="lookup", status="crashed")]
    assert states(complete("store", "lookup"), *processes) == {
        "store": "ok",
        "lookup": "3 of 3 rounds, crashed",
        "load": "0 of 3 rounds, crashed",
    }


def test_the_seconds_of_a_trace_have_a_throughput_and_their_submits_stand_for_rounds() -> None:
    idle = second_of_trace("load", 1, keys_requested=0, keys_expected=0, keys_ok=0, bytes_ok=0)
    idle.update(submit_latency_s=[], late_s=[])
    late = second_of_trace("load", 2, status="timeout", submit_latency_s=[], late_s=[])
    late.update(submit_unfinished_s=[2.0], keys_ok=0, bytes_ok=0)
    summary = summarise("load", [second_of_trace("load"), idle, late])
    assert summary.mib_per_s == pytest.approx(2 / 3)
    assert summary.durations_s == (0.25, 0.5)
    assert summary.unfinished_rounds_s == (2.0,)
    assert summary.late_s == (0.0, 1.0)
    assert summary.latencies_since_due.maximum() == Bound(2.0, is_lower_bound=True)
    assert summary.latencies_since_due.values == (0.25, 1.5)
    assert summary.status == "1 of 3 rounds not ok"
    assert summarise("load", [round_row("load")]).latencies_since_due.values == ()
