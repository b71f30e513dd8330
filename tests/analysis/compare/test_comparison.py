"""Tests of l2sweep.analysis.compare.comparison, over made sweeps."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from made_sweeps import MadeSweep, Rows, tables, together
from sample_rows import Row, rounds_ended, second_of_trace

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.compare.rows.environment import POINT_ROW_COLUMNS
from l2sweep.analysis.compare.verdict import in_percent
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.errors import RequestError
from l2sweep.records import schema

WITH_FIO = ("fs", "fs_native", "fio")
NIGHTLY = {"night_deviation": 0.01}


def compared(base: Rows, candidate: Rows, **options: Any) -> ComparisonResult:
    sides = zip(base, candidate, strict=True)
    rounds, points = (list(tables) for tables in sides)
    return compare_tables(rounds, points, controls=CONTROLS, **options)


def seven_nights(**changes: Any) -> Rows:
    return together(*(MadeSweep(number, **{**NIGHTLY, **changes}).rows() for number in range(7)))


def tonight(**changes: Any) -> Rows:
    return MadeSweep(9, **{**NIGHTLY, **changes}).rows()


def test_two_quiet_sweeps_are_not_slower() -> None:
    result = compared(MadeSweep(1).rows(), MadeSweep(2).rows())
    assert result.verdict in ("same", "inconclusive")
    assert (result.exit_code(), result.is_loud) == (0, False)
    assert result.headline.startswith("nothing slower")


def test_quiet_nights_are_the_same_in_total() -> None:
    result = compared(seven_nights(), tonight())
    assert {total.verdict for total in result.totals} == {"same"}
    assert result.exit_code() == 0


@pytest.mark.parametrize("base", ["one night", "seven nights"])
def test_one_adapter_that_is_slower_in_one_phase_is_named_with_about_that_much(base: str) -> None:
    rows = seven_nights() if base == "seven nights" else MadeSweep(1).rows()
    result = compared(rows, tonight(factors={("fs", "load"): 1.1}))
    slower = {(one.point.adapter, one.point.phase) for one in result.points if one.verdict == "slower"}
    assert slower == {("fs", "load")}
    total = next(total for total in result.totals if total.verdict == "slower")
    assert (total.adapter, total.phase, total.points) == ("fs", "load", 8)
    assert total.ratio == pytest.approx(1.1, abs=0.02)
    assert total.low <= 1.1 <= total.high
    assert "fs load over 8 points takes" in result.headline
    assert result.exit_code() == 1


def test_a_single_slower_point_is_found_among_all_points() -> None:
    result = compared(seven_nights(), tonight(factors={("fs", "load", 32768): 1.15}))
    slower = {(one.point.adapter, one.point.data_size_kb) for one in result.points if one.verdict == "slower"}
    assert slower == {("fs", 32768)}


def test_what_is_faster_is_no_reason_for_an_exit_code() -> None:
    result = compared(seven_nights(), tonight(factors={"fs": 0.8}))
    assert (result.verdict, result.exit_code()) == ("faster", 0)


def test_a_change_below_the_threshold_is_no_finding() -> None:
    slower = tonight(factors={"fs": 1.1})
    assert compared(seven_nights(), slower, threshold=0.05).verdict == "slower"
    assert compared(seven_nights(), slower, threshold=0.2).verdict != "slower"


def test_a_change_below_the_error_of_the_clock_is_no_finding() -> None:
    small = {"sizes_kb": (2, 4), "depths": (1, 2)}  # 20 to 80 us
    result = compared(seven_nights(**small), tonight(**small, factors={"fs": 1.5}))
    of_fs = [one for one in (*result.points, *result.totals) if one.ratio > 1.4]
    assert len(of_fs) == 2 * (4 + 1)
    assert {one.verdict for one in of_fs} == {"inconclusive"}
    assert {one.reason for one in of_fs} == {"the difference is below 0.1 ms, the error of the measurement"}
    assert not result.is_loud
    slower = compared(seven_nights(**small), tonight(**small, factors={"fs": 9.0}))
    assert slower.verdict == "slower"


def test_a_slower_disk_is_a_change_of_the_host_and_no_adapter_is_blamed() -> None:
    result = compared(seven_nights(adapters=WITH_FIO), tonight(adapters=WITH_FIO, factors={"load": 1.15}))
    assert result.host_changes == ("fio load takes 15% longer",)
    assert result.headline.startswith("the host changed: fio load takes 15% longer")
    assert not [one for one in (*result.points, *result.totals) if one.verdict == "slower"]
    blocked = [one for one in result.points if "the host changed" in one.reason]
    assert {one.point.phase for one in blocked} == {"load"}
    assert (result.exit_code(), result.exit_code(strict=True), result.is_loud) == (0, 3, True)


def test_an_adapter_that_is_slower_than_its_control_explains_is_named() -> None:
    factors = {"load": 1.15, ("fs", "load"): 1.15}
    result = compared(seven_nights(adapters=WITH_FIO), tonight(adapters=WITH_FIO, factors=factors))
    assert result.host_changed
    assert {(one.adapter, one.phase) for one in result.totals if one.verdict == "slower"} == {("fs", "load")}


def test_a_lookup_without_a_control_of_its_own_is_not_blamed_for_the_disk() -> None:
    both = {"adapters": ("fs", "fs_native"), "phases": ("store", "lookup", "load")}
    base = together(seven_nights(**both), seven_nights(adapters=("fio",)))
    slow = {"factors": {"fio": 1.3, "lookup": 1.3, "load": 1.3, "store": 1.3}}
    result = compared(
        base, together(tonight(**both, **slow), tonight(adapters=("fio",), factors={"fio": 1.3}))
    )
    assert result.host_changed
    assert result.verdict == "inconclusive"


def test_each_point_shows_its_ratio_beside_the_control_of_its_shape() -> None:
    result = compared(seven_nights(adapters=WITH_FIO), tonight(adapters=WITH_FIO))
    controls = {
        (one.point.phase, one.point.data_size_kb, one.point.in_flight): one for one in result.controls
    }
    for one in result.points:
        control = controls[one.point.phase, one.point.data_size_kb, one.point.in_flight]
        assert one.control_ratio == control.ratio
        assert one.relative_ratio == one.ratio / control.ratio


def test_a_slower_harness_is_a_change_of_the_host() -> None:
    both = ("fs", "fs_native", "mock")
    result = compared(seven_nights(adapters=both), tonight(adapters=both, factors={"load": 1.2}))
    assert "mock load takes" in result.host_changes[0]
    assert result.verdict == "inconclusive"


def test_warm_rounds_are_not_compared_with_cold_ones() -> None:
    warm, cold = (
        MadeSweep(number, phases=("load",), changes={"cache_state": state})
        for number, state in ((2, "warm"), (1, "cold"))
    )
    with pytest.raises(RequestError, match=r"differ in cache_state \(cold, warm\)"):
        compared(cold.rows(), warm.rows())
    stores = MadeSweep(3, phases=("store",)).rows()
    result = compared(
        together(cold.rows(), stores), together(warm.rows(), MadeSweep(4, phases=("store",)).rows())
    )
    assert {one.point.phase for one in result.points} == {"store"}
    assert {one.cache_state for one in result.only_base} == {"cold"}
    assert {one.cache_state for one in result.only_candidate} == {"warm"}


def failing(sweep: MadeSweep, **changes: Any) -> Rows:
    """Return a sweep in which round 2 of the first load differs."""
    rounds, points = sweep.lists()
    for row in rounds:
        if (row["point_index"], row["phase"], row["round"]) == (0, "load", 2):
            row |= changes
    return tables(rounds, points)


BROKEN = {"status": "error", "detail": "nothing moved", "duration_s": 1e-6}


def test_a_failure_that_is_new_is_a_finding_and_no_fast_sample() -> None:
    result = compared(MadeSweep(1).rows(), failing(MadeSweep(2), **BROKEN))
    (failure,) = result.new_failures
    assert (failure.phase, failure.processes, failure.reason) == ("load", 1, "error: nothing moved")
    assert "failing: 1 point that did not fail in the base, the first one fs load" in result.headline
    assert result.exit_code() == 1
    hit = next(
        one for one in result.points if one.point.phase == "load" and one.point.point_id == "fs-4096-1"
    )
    assert (hit.base_processes, hit.candidate_processes) == (3, 2)
    assert hit.candidate_s > 0.03


def test_a_failure_of_both_sides_is_shown_and_no_finding() -> None:
    result = compared(failing(MadeSweep(1), **BROKEN), failing(MadeSweep(2), **BROKEN))
    assert result.new_failures == ()
    assert [one.side for one in result.failures] == [0, 1]
    assert result.exit_code() == 0


def test_a_point_that_fails_on_one_side_is_not_called_missing_there() -> None:
    rounds, points = MadeSweep(2).lists()
    for row in rounds:
        if (row["point_id"], row["phase"]) == ("fs-4096-1", "load"):
            row |= BROKEN
    result = compared(MadeSweep(1).rows(), tables(rounds, points))
    assert [one.point_id for one in result.new_failures] == ["fs-4096-1"]
    assert (result.only_base, result.only_candidate) == ((), ())


def test_a_process_that_crashed_before_its_first_round_is_a_new_failure() -> None:
    rounds, points = MadeSweep(2).lists()
    points[0] |= {"status": "crashed", "detail": "killed by SIGSEGV"}
    rows = tables([row for row in rounds if row["point_index"] != 0], points)
    (failure,) = compared(MadeSweep(1).rows(), rows).new_failures
    assert (failure.phase, failure.reason) == ("all", "crashed: killed by SIGSEGV")


def test_a_process_with_too_few_rounds_is_no_sample_unless_the_user_stopped_it() -> None:
    rounds, points = MadeSweep(2).lists()
    rounds = [
        row for row in rounds if not (row["point_index"] == 0 and row["phase"] == "load" and row["round"] > 1)
    ]
    points[0] |= {"status": "crashed"}
    (failure,) = compared(MadeSweep(1).rows(), tables(rounds, points)).new_failures
    assert failure.reason == "2 of 5 rounds"
    points[0] |= {"status": "stopped"}
    assert compared(MadeSweep(1).rows(), tables(rounds, points)).failures == ()


def auto(rows: tuple[list[Row], list[Row]], **changes: Any) -> Rows:
    """Return the rows of a sweep with open numbers of rounds, and changes of the process of point 0."""
    rounds, points = ([{**row, "rounds": 50} for row in one] for one in rows)
    points = [{**row, "precision": 0.05, **rounds_ended("precision", None, 0.03)} for row in points]
    points[0] |= changes
    return tables(rounds, points)


def test_open_rounds_are_a_sample_if_their_phase_came_to_its_end() -> None:
    base, candidate = MadeSweep(1).rows(), MadeSweep(2)
    fixed, ended = (compared(base, rows) for rows in (candidate.rows(), auto(candidate.lists())))
    assert (ended.points, ended.totals, ended.failures) == (fixed.points, fixed.totals, ())


def test_open_rounds_without_an_end_are_no_sample_and_named_unless_the_user_stopped_them() -> None:
    base, candidate = MadeSweep(1).rows(), MadeSweep(2).lists()
    without_end = {"status": "crashed", "load_rounds_ended_by": None}
    (failure,) = compared(base, auto(candidate, **without_end)).failures
    assert (failure.phase, failure.reason) == ("load", "5 of at most 50 rounds")
    assert compared(base, auto(candidate, **{**without_end, "status": "stopped"})).failures == ()


def test_the_process_of_another_phase_does_not_complete_open_rounds() -> None:
    rows = auto(MadeSweep(2).lists(), phase="store")
    (failure,) = compared(MadeSweep(1).rows(), rows).failures
    assert (failure.phase, failure.reason) == ("load", "5 of 50 rounds")


def test_the_columns_of_points_that_are_read_exist() -> None:
    assert set(POINT_ROW_COLUMNS) <= {*schema.POINTS.names, FLEET_HOST}


def test_only_the_last_attempt_at_a_point_counts() -> None:
    rounds, points = MadeSweep(2).lists()
    again = [
        {**row, "attempt": 2, "duration_s": row["duration_s"] * 2}
        for row in rounds
        if row["point_index"] == 0
    ]
    result = compared(MadeSweep(1).rows(), tables([*rounds, *again], points))
    one = result.points[0]
    assert (one.point.point_id, one.candidate_processes) == ("fs-4096-1", 3)
    assert one.high > 1.5  # one of three processes takes twice as long
    assert compared(MadeSweep(1).rows(), tables(rounds, points)).points[0].high < 1.1


def test_warm_up_rounds_count_nowhere() -> None:
    rounds, points = MadeSweep(2).lists()
    extra = [{**row, "is_warmup": True, "round": -1, "duration_s": 99.0} for row in rounds[:5]]
    plain, with_warm_up = (
        compared(MadeSweep(1).rows(), tables(rows, points)) for rows in (rounds, [*extra, *rounds])
    )
    assert [one.candidate_s for one in plain.points] == [one.candidate_s for one in with_warm_up.points]


def test_a_single_process_on_each_side_is_inconclusive_before_the_test() -> None:
    result = compared(MadeSweep(1, repeats=1).rows(), MadeSweep(2, repeats=1, factors={"fs": 5.0}).rows())
    assert {one.verdict for one in result.points} == {"inconclusive"}
    assert all(one.p is None and "too few processes" in one.reason for one in result.points)


def test_an_inconclusive_point_says_how_many_repeats_would_be_enough() -> None:
    noisy = {"process_deviation": 0.05}
    result = compared(seven_nights(**noisy, night_deviation=0), tonight(**noisy, night_deviation=0))
    needed = [one.repeats_needed for one in result.points if one.verdict == "inconclusive"]
    assert needed
    assert all(number is None or number > 3 for number in needed)
    assert any("repeats per sweep would be enough" in one.reason for one in result.points)


def test_nothing_in_common_says_what_differs_between_the_nearest_points() -> None:
    with pytest.raises(RequestError, match=r"in_flight \(1, 16\)") as raised:
        compared(MadeSweep(1).rows(), MadeSweep(2, depths=(16,)).rows())
    assert raised.value.exit_code == 2


def test_a_side_of_which_all_failed_says_why() -> None:
    rounds, points = MadeSweep(2).lists()
    rounds = [{**row, **BROKEN} for row in rounds]
    with pytest.raises(RequestError, match=r"candidate \(night-002\) has no complete .*nothing moved"):
        compared(MadeSweep(1).rows(), tables(rounds, points))


def test_differences_of_the_environment_are_named() -> None:
    changes = {
        "lmcache_version": "0.5.7",
        "kernel": "Linux 6.2",
        "adapter_spec": '{"type": "fs", "base_path": "/b"}',
    }
    result = compared(MadeSweep(1, ("fs",)).rows(), MadeSweep(2, ("fs",), changes=changes).rows())
    assert [(one.name, one.base, one.candidate) for one in result.environment] == [
        ("LMCache", "0.5.6", "0.5.7"),
        ("kernel", "Linux 6.1", "Linux 6.2"),
        ("adapter.base_path", "/mnt/nvme/kv", "/b"),
    ]


def test_dictionary_encoded_rows_give_the_same_result() -> None:
    base, candidate = MadeSweep(1).rows(), MadeSweep(2, factors={"fs": 1.2}).rows()

    def encoded(rows: Rows) -> Rows:
        return tuple(
            pa.table(
                [one.dictionary_encode() if pa.types.is_string(one.type) else one for one in table.columns],
                table.column_names,
            )
            for table in rows
        )

    assert compared(encoded(base), encoded(candidate)) == compared(base, candidate)


@pytest.mark.parametrize(("ratio", "text"), [(1.12, "12%"), (10.9, "990%"), (73.2, "x73")])
def test_a_change_is_shown_in_percent_or_as_a_factor_and_never_cut(ratio: float, text: str) -> None:
    assert in_percent(ratio) == text


def with_lookups(number: int) -> Rows:
    return MadeSweep(number, phases=("store", "lookup", "load")).rows()


def answered_by(rows: Rows, value: str | None) -> Rows:
    """Return rows whose lookups were answered by something; None: as before schema version 6."""
    rounds, points = rows
    is_lookup = pc.equal(rounds["phase"].cast(pa.string()), "lookup")
    column = pc.if_else(is_lookup, pa.scalar(value, pa.string()), pa.scalar(None, pa.string()))
    rounds = rounds.drop_columns("lookup_answered_by").append_column("lookup_answered_by", column)
    return rounds, points


def test_lookups_that_were_answered_differently_are_not_compared() -> None:
    base, candidate = answered_by(with_lookups(1), "server"), with_lookups(2)
    for value in ("client_cache", "index"):
        result = compared(base, answered_by(candidate, value))
        assert {one.point.phase for one in result.points} == {"store", "load"}
        assert {one.lookup_answered_by for one in result.only_candidate} == {value}
    totals = compared(answered_by(candidate, "index"), answered_by(with_lookups(3), "index")).totals
    assert {one.lookup_answered_by for one in totals if one.phase == "lookup"} == {"index"}


def test_lookups_of_earlier_releases_are_compared_with_those_that_the_server_answered() -> None:
    old, new = answered_by(with_lookups(1), None), answered_by(with_lookups(2), "server")
    assert "lookup" in {one.point.phase for one in compared(old, new).points}


def test_rows_that_were_kept_from_an_earlier_release_can_be_compared() -> None:
    base, candidate = (
        tuple(table.drop_columns("lookup_answered_by") for table in with_lookups(number)) for number in (1, 2)
    )
    assert len(compared(base, candidate).points) == 48


def test_replays_of_a_trace_are_left_out_and_said_if_there_is_nothing_else() -> None:
    def with_replay(rows: Rows) -> Rows:
        replay, _ = tables([second_of_trace("load", duration_s=9.0, sweep_id="replay")], [])
        return pa.concat_tables([rows[0], replay], promote_options="permissive"), rows[1]

    quiet = compared(MadeSweep(1).rows(), MadeSweep(2).rows())
    mixed = compared(with_replay(MadeSweep(1).rows()), with_replay(MadeSweep(2).rows()))
    assert [one.point for one in mixed.points] == [one.point for one in quiet.points]
    assert mixed.headline == quiet.headline
    only = tuple(rows.slice(0, 0) for rows in MadeSweep(1).rows())
    with pytest.raises(RequestError, match="not comparable: replays of a trace are not compared"):
        compared(with_replay((only[0], only[1])), with_replay((only[0], only[1])))


def test_the_clients_of_a_point_are_one_sample_that_lasts_until_the_last_has_ended() -> None:
    def several(number: int) -> Rows:
        rounds, points = MadeSweep(number, adapters=("fs",)).lists()
        as_clients = [{**row, "client": client, "clients": 4} for row in rounds for client in range(4)]
        for row in as_clients:
            row["duration_s"] *= 2 if row["client"] == 3 else 1
        return tables(as_clients, [{**row, "client": 0, "clients": 4} for row in points])

    one = compared(*(MadeSweep(number, adapters=("fs",)).rows() for number in (1, 2)))
    four = compared(several(1), several(2))
    assert [point.base_processes for point in four.points] == [point.base_processes for point in one.points]
    assert [point.base_s for point in four.points] == pytest.approx(
        [2 * point.base_s for point in one.points]
    )
