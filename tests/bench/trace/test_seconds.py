"""The rows of the seconds of a replay."""

from __future__ import annotations

from l2sweep.bench.adapter.lmcache_log import LogWatch
from l2sweep.bench.messages import RoundMeasured
from l2sweep.bench.trace.seconds import Outcome, ReplaySeconds


def seconds(log: LogWatch, *, counts_false_hits: bool = True) -> tuple[ReplaySeconds, list[RoundMeasured]]:
    reported: list[RoundMeasured] = []
    made = ReplaySeconds(reported.append, log, counts_false_hits)
    made.start()
    return made, reported


def load(**changes: object) -> Outcome:
    fields = {"keys_requested": 2, "keys_expected": 2, "keys_ok": 2, "bytes_requested": 8, "bytes_ok": 8}
    return Outcome(**{**fields, "latency_s": 0.25, "late_s": 0.5, **changes})  # type: ignore[arg-type]


def test_each_second_has_a_row_for_each_phase_as_soon_as_it_is_over(log: LogWatch) -> None:
    made, reported = seconds(log)
    made.add("load", load())
    made.move_to(0.9)
    assert reported == []
    made.move_to(2.1)
    made.add("store", load())
    made.end(2.5)
    assert [(one.second, one.phase, one.keys_ok) for one in reported] == [
        *((0, "store", 0), (0, "lookup", 0), (0, "load", 2)),
        *((1, "store", 0), (1, "lookup", 0), (1, "load", 0)),
        *((2, "store", 2), (2, "lookup", 0), (2, "load", 0)),
    ]
    assert [one.duration_s for one in reported[::3]] == [1.0, 1.0, 0.5]
    assert [one.round for one in reported[::3]] == [1, 2, 3]
    assert {one.status for one in reported} == {"ok"}
    assert made.measured == reported


def test_a_row_has_the_sums_and_the_latencies_of_what_ended_in_it(log: LogWatch) -> None:
    made, reported = seconds(log)
    made.add("load", load())
    made.add("load", load(latency_s=0.125, late_s=0.0, keys_ok=1, bytes_ok=4, reason="a reason"))
    made.end(0.5)
    row = reported[2]
    assert (row.keys_requested, row.keys_expected, row.keys_ok) == (4, 4, 3)
    assert (row.bytes_requested, row.bytes_ok) == (16, 12)
    assert (row.submit_latency_s, row.late_s) == ([0.25, 0.125], [0.5, 0.0])
    assert (row.status, row.detail) == ("partial", "a reason")


def test_a_broken_rule_is_an_error_without_a_throughput(log: LogWatch) -> None:
    made, reported = seconds(log)
    made.add("load", load())
    made.add("load", Outcome(keys_requested=2, keys_expected=2, rule="a rule"))
    made.end(0.5)
    row = reported[2]
    assert (row.status, row.detail, row.duration_s, row.elapsed_s) == ("error", "load: a rule", None, 0.5)
    assert row.submit_latency_s == [0.25]


def test_a_submit_that_exceeds_its_time_limit_is_a_timeout(log: LogWatch) -> None:
    made, reported = seconds(log)
    made.add("load", load())
    made.add("load", Outcome(keys_requested=2, keys_expected=2, waited_s=3.0))
    made.end(0.5)
    row = reported[2]
    assert (row.status, row.submit_unfinished_s) == ("timeout", [3.0])
    assert row.detail == "1 of 2 submits did not complete in time"


def test_a_false_hit_is_an_error_unless_others_may_have_stored_the_key(log: LogWatch) -> None:
    hit = {"keys_requested": 2, "false_hits": 1, "latency_s": 0.1, "late_s": 0.0}
    for counts, status, false_hits in ((True, "error", 1), (False, "ok", None)):
        made, reported = seconds(log, counts_false_hits=counts)
        made.add("lookup", Outcome(**hit))  # type: ignore[arg-type]
        made.end(0.5)
        assert (reported[1].status, reported[1].false_hits) == (status, false_hits)
        assert (reported[0].false_hits, reported[0].false_misses) == (None, None)
