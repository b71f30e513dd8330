"""The summary of groups of rounds: it has the definitions of a phase, and processes are the sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sample_rows import (
    MIB,
    Row,
    auto_point_row,
    nothing_moved,
    point_row,
    round_row,
    second_of_trace,
    timed_out,
)

import l2sweep
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.sample import Bound
from l2sweep.analysis.statistics import summarise, summarise_point
from l2sweep.analysis.summary import COLUMNS_OF_POINTS, COLUMNS_OF_ROUNDS, summarize
from l2sweep.records import schema

PHASES = ("store", "lookup", "load")


def process(
    index: int, durations_s: Sequence[float | None], phase: str = "load", **changes: Any
) -> list[Row]:
    """Return the measured rounds of one process; a duration of None is a round that timed out."""
    own = {"point_index": index, **changes}
    return [
        timed_out(phase, number, **own)
        if duration_s is None
        else round_row(phase, number, duration_s=duration_s, **own)
        for number, duration_s in enumerate(durations_s, start=1)
    ]


def one(rows: Sequence[Row], **options: Any) -> dict[str, Any]:
    """Return the only group of some rounds."""
    (row,) = summarize(pd.DataFrame(list(rows)), **options).to_dict("records")
    return {name: value if value == value else None for name, value in row.items()}


def test_the_summary_of_one_process_is_that_of_its_phase() -> None:
    rows = [
        *process(0, [0.5, 1.0, None, 2.0], "load"),
        *process(0, [0.25, 0.75], "lookup", false_hits=1),
        *process(0, [0.5, 0.75, 1.0], "store"),
        nothing_moved("store", 4),
        round_row("store", 5, status="partial", keys_ok=2, bytes_ok=MIB // 2),
        round_row("load", 9, is_warmup=True, duration_s=0.001),
    ]
    found = summarize(pd.DataFrame(rows)).set_index("phase")
    for phase in PHASES:
        alone, row = summarise(phase, rows), found.loc[phase]
        for name in ("mib_per_s", "mib_per_s_elapsed", "keys_per_s", "keys_per_s_elapsed"):
            expected = getattr(alone, name)
            assert row[name] == expected or (math.isnan(row[name]) and expected is None)
        assert row["rounds"] == alone.rounds
        assert row["ok_rounds"] == alone.ok_rounds
        assert row["timed_out_rounds"] == alone.timed_out_rounds
        assert row["status"] == alone.status
        assert (row["cache_state"] if phase != "store" else None) == alone.cache_state
        median = alone.durations.percentile(50)
        assert median == Bound(row["median_s"], "median_s" in row["lower_bounds"].split())
        assert median == Bound(row["p50_s"], "p50_s" in row["lower_bounds"].split())
        p50 = alone.submit_latencies.percentile(50)
        assert p50 == Bound(row["submit_p50_s"], "submit_p50_s" in row["lower_bounds"].split())
    assert found.loc["lookup", "actual_hit_rate"] == summarise("lookup", rows).actual_hit_rate
    assert found.loc["lookup", "false_hits"] == 2


def test_throughput_over_processes_is_all_bytes_over_all_time() -> None:
    row = one([*process(0, [0.1, 0.1]), *process(1, [1.9, 1.9])])
    assert row["mib_per_s"] == pytest.approx(8 / 4.0)
    assert (row["mib_per_s_min"], row["mib_per_s_max"]) == (pytest.approx(2 / 1.9), pytest.approx(2 / 0.1))
    assert (row["keys_per_s_min"], row["keys_per_s_max"]) == (pytest.approx(8 / 1.9), pytest.approx(8 / 0.1))


def test_the_median_is_that_of_the_processes_and_not_of_the_rounds() -> None:
    row = one([*process(0, [1.0] * 9), *process(1, [2.0]), *process(2, [3.0])])
    assert (row["processes"], row["rounds"]) == (3, 11)
    assert row["median_s"] == 2.0
    assert row["p50_s"] == 1.0
    assert (row["median_min_s"], row["median_max_s"]) == (1.0, 3.0)


def test_the_interval_of_the_median_needs_six_processes() -> None:
    five = [row for index in range(5) for row in process(index, [float(index + 1)] * 40)]
    assert one(five)["median_low_s"] is None
    six = one([*five, *process(5, [6.0] * 40)])
    assert (six["median_low_s"], six["median_high_s"]) == (1.0, 6.0)


def test_time_outs_are_lower_bounds() -> None:
    rows = [*process(0, [0.5, 0.5, 0.5]), *process(1, [None, None, 0.5]), *process(2, [None, None, None])]
    row = one(rows)
    assert row["median_s"] == 1.0
    assert set(row["lower_bounds"].split()) >= {"median_s", "median_max_s", "p50_s"}
    assert "median_min_s" not in row["lower_bounds"].split()
    assert row["mib_per_s_elapsed"] < row["mib_per_s"]
    assert (row["timed_out_rounds"], row["failed_rounds"], row["failed_processes"]) == (5, 5, 2)


def test_failed_rounds_never_raise_a_throughput() -> None:
    good = one(process(0, [0.5, 0.5]))
    failed = [nothing_moved("load", 3), round_row("load", 4, status="partial", keys_ok=1, bytes_ok=MIB // 4)]
    for extra in failed:
        row = one([*process(0, [0.5, 0.5]), extra])
        assert row["mib_per_s"] < good["mib_per_s"]
        assert row["keys_per_s"] < good["keys_per_s"]
        assert row["status"] == "1 of 3 rounds not ok"


def test_warm_up_rounds_do_not_count() -> None:
    warmup = round_row("load", 1, is_warmup=True, duration_s=0.001, cache_state="warm")
    assert one([warmup, *process(0, [0.5])]) == one(process(0, [0.5]))


@pytest.mark.parametrize("by", [None, "adapter_type", ["host"], []])
def test_cold_and_claimed_and_phases_are_never_pooled(by: Any) -> None:
    rows = [
        *process(0, [0.5], cache_state="cold"),
        *process(1, [0.5], cache_state="claimed"),
        *process(2, [0.5], "store"),
        *process(3, [0.5], cache_state="cold", profile="flamegraph:wall"),
    ]
    found = summarize(pd.DataFrame(rows), by=by)
    assert found["processes"].tolist() == [1, 1, 1, 1]
    assert found["cache_state"].fillna("").tolist() == ["cold", "claimed", "", "cold"]


def test_a_process_of_which_no_round_is_cold_or_warm_stands_beside_its_repeats() -> None:
    failed = timed_out("load", 1, cache_state=None, point_index=1)
    row = one([*process(0, [0.5]), failed])
    assert (row["cache_state"], row["processes"], row["measured_processes"]) == ("cold", 2, 2)
    assert row["status"] == "1 of 2 repeats: 1 of 1 rounds not ok"
    measured = round_row("load", 1, cache_state=None, point_index=1)  # its number could be a warm one
    assert len(summarize(pd.DataFrame([*process(0, [0.5]), measured]))) == 2


def test_a_process_with_different_states_is_a_group_of_its_own() -> None:
    mixed = [*process(1, [0.5]), round_row("load", 2, point_index=1, cache_state="warm")]
    found = summarize(pd.DataFrame([*process(0, [0.5]), *mixed]))
    assert found["cache_state"].tolist() == ["cold", "cold/warm"]


def test_only_the_last_attempt_at_a_point_counts() -> None:
    first = [nothing_moved("load", 1), *process(0, [0.001])]
    assert one([*first, *process(0, [0.5], attempt=2)]) == one(process(0, [0.5]))
    points = pd.DataFrame([point_row(attempt=2, status="crashed", only="load")])
    row = one(first, points=points)
    assert (row["rounds"], row["status"]) == (0, "0 of 3 rounds, crashed")


def test_phases_without_rounds_and_processes_that_ended_badly_are_counted_with_points() -> None:
    rows = [round_row(phase, number) for phase in ("store", "lookup") for number in (2, 3, 4)]
    crashed = process(1, [0.5, 0.5, 0.5], "store")
    points = [point_row(only=None), point_row(only=None, point_index=1, status="crashed")]
    rows += [round_row("load", number) for number in (2, 3, 4)]
    found = summarize(pd.DataFrame([*rows, *crashed]), points=pd.DataFrame(points)).set_index("phase")
    for phase in PHASES:
        own = [*rows, *crashed]
        states = [
            next(
                summary.status
                for summary in summarise_point(
                    PHASES, [row for row in own if row["point_index"] == point["point_index"]], [point]
                )
                if summary.phase == phase
            )
            for point in points
        ]
        assert found.loc[phase, "processes"] == 2
        assert found.loc[phase, "failed_processes"] == sum(state != "ok" for state in states)
    assert found.loc["store", "status"] == "ok"
    assert found.loc["load", "status"] == "1 of 2 repeats: 0 of 3 rounds, crashed"


def test_the_default_groups_are_points_with_their_parameters() -> None:
    rows = [
        *process(0, [0.5], point_id="a", in_flight=1),
        *process(1, [0.5], point_id="b", in_flight=4),
        *process(2, [0.5], point_id="a", in_flight=1, repeat=1, namespace="other"),
    ]
    found = summarize(pd.DataFrame(rows).assign(**{"adapter.num_workers": [1, 2, 1]}))
    assert found["point_id"].tolist() == ["a", "b"]
    assert found["in_flight"].tolist() == [1, 4]
    assert found["adapter.num_workers"].tolist() == [1, 2]
    assert found["processes"].tolist() == [2, 1]


def test_rounds_can_be_grouped_by_a_column_that_differs_in_a_process() -> None:
    rows = [*process(0, [1.0, 2.0]), *process(1, [3.0, 4.0])]
    found = summarize(pd.DataFrame(rows), by="round")
    assert found["round"].tolist() == [1, 2]
    assert found["median_s"].tolist() == [2.0, 3.0]
    assert found["processes"].tolist() == [2, 2]


def test_an_unconfirmed_store_tells_what_its_load_found() -> None:
    bad = {"status": "unconfirmed", "keys_ok": 0, "bytes_ok": 0}
    store = round_row("store", 1, **bad)
    load = round_row("load", 1, status="partial", mismatched_keys=1)
    found = summarize(pd.DataFrame([store, load])).set_index("phase")
    assert found.loc["store", "status"] == "1 of 1 rounds not confirmed: the load found wrong bytes"
    assert one([store])["status"] == "1 of 1 rounds not confirmed"


def test_a_column_that_is_missing_is_named_and_optional_ones_may_miss() -> None:
    rounds = pd.DataFrame(process(0, [0.5, 0.5]))
    with pytest.raises(KeyError, match="rounds has no column colour, bytes_ok"):
        summarize(rounds.drop(columns="bytes_ok"), by="colour")
    without = summarize(rounds.drop(columns=["submit_latency_s", "submit_unfinished_s", "false_hits"]))
    assert without["median_s"].tolist() == [0.5]
    assert np.isnan(without["submit_p50_s"]).all()


def test_categorical_columns_give_the_same_summary() -> None:
    rounds = pd.DataFrame([*process(0, [0.5, None]), *process(1, [0.25], "store")])
    texts = ["sweep_id", "point_id", "phase", "status", "cache_state", "adapter_type"]
    pd.testing.assert_frame_equal(
        summarize(rounds.astype(dict.fromkeys(texts, "category"))), summarize(rounds)
    )


def test_open_rounds_are_complete_if_their_phase_came_to_its_end() -> None:
    shared: dict[str, Any] = {"rounds": 50, "warmup_rounds": 20}
    warmups = [
        round_row(phase, number, is_warmup=True, **shared) for phase in PHASES for number in range(1, 9)
    ]
    rows = [*warmups, *(row for phase in PHASES for row in process(0, [0.5] * 7, phase, **shared))]
    ended = auto_point_row(phase="all", only=None)
    drifting = {"load_warmup_ended_by": "max_warmup_rounds"}
    crashed = {**ended, "status": "crashed", "load_rounds_ended_by": None, **drifting}
    found = [
        summarize(pd.DataFrame(rows), points=pd.DataFrame([point])).set_index("phase")
        for point in (ended, crashed)
    ]
    assert found[0]["status"].tolist() == ["ok"] * 3
    assert set(found[0]["rounds_ended"]) == {"7 rounds, precision 4.1%"}
    assert found[1]["status"].to_dict() == {
        "store": "ok",
        "lookup": "ok",
        "load": "7 of at most 50 rounds, crashed",
    }
    assert found[1].loc["load", "rounds_ended"] == "durations still drifted after 8 warm-up rounds"
    assert found[1]["failed_processes"].tolist() == [0, 0, 1]
    for point, columns in zip((ended, crashed), found, strict=True):
        for alone in summarise_point(PHASES, rows, [point]):
            assert columns.loc[alone.phase, "status"] == alone.status
            assert columns.loc[alone.phase, "rounds_ended"] == str(alone.auto)


def test_repeats_of_open_rounds_are_complete_whatever_their_numbers_are() -> None:
    numbers = (7, 12, 3)
    shared: dict[str, Any] = {"rounds": 50}
    rows = [row for index, number in enumerate(numbers) for row in process(index, [0.5] * number, **shared)]
    points = [auto_point_row(point_index=index, phase="load") for index in range(3)]
    points[2] |= {"status": "crashed", "load_rounds_ended_by": None, "load_precision_reached": None}
    row = one(rows, points=pd.DataFrame(points))
    assert row["status"] == "1 of 3 repeats: 3 of at most 50 rounds, crashed"
    assert row["rounds_ended"] == "2 of 3 repeats: 7..12 rounds, precision 4.1%"
    assert one(rows)["rounds_ended"] is None
    each = summarize(pd.DataFrame(rows), by=["round"], points=pd.DataFrame(points))
    assert each["rounds_ended"].isna().all()


def test_no_rounds_have_no_groups() -> None:
    rounds = pd.DataFrame([round_row(is_warmup=True)])
    assert summarize(rounds).empty
    assert summarize(rounds.iloc[:0]).empty


def test_the_columns_that_a_summary_reads_exist() -> None:
    assert set(COLUMNS_OF_ROUNDS) <= {*schema.ROUNDS.names, FLEET_HOST}
    assert set(COLUMNS_OF_POINTS) <= {*schema.POINTS.names, FLEET_HOST}


def test_summarize_is_exported() -> None:
    rounds = pd.DataFrame(process(0, [0.5]))
    pd.testing.assert_frame_equal(l2sweep.summarize(rounds), summarize(rounds))


def test_lookups_that_were_answered_differently_are_different_groups() -> None:
    rows = [
        *process(0, [0.5], "lookup", lookup_answered_by="client_cache"),
        *process(1, [1.0], "lookup", lookup_answered_by="server"),
        *process(2, [1.5], "lookup", lookup_answered_by="server"),
    ]
    found = summarize(pd.DataFrame(rows), by="adapter_type")
    assert found[["lookup_answered_by", "processes", "median_s"]].values.tolist() == [
        ["client_cache", 1, 0.5],
        ["server", 2, 1.25],
    ]


def test_a_process_that_failed_before_its_lookup_joins_the_repeats() -> None:
    rows = pd.DataFrame(process(0, [0.5], "lookup", lookup_answered_by="index", rounds=1))
    points = pd.DataFrame(
        [
            point_row(point_index=0, phase="lookup", only="lookup", rounds=1),
            point_row(point_index=1, phase="lookup", only="lookup", rounds=1, status="crashed"),
        ]
    )
    (row,) = summarize(rows, points=points).to_dict("records")
    assert (row["processes"], row["failed_processes"], row["lookup_answered_by"]) == (2, 1, "index")


def test_a_replay_of_a_trace_is_not_pooled_with_rounds_and_its_medians_are_those_of_submits() -> None:
    rows = [
        *process(0, [0.125, 0.125]),
        *(second_of_trace("load", second, point_index=1, duration_s=1.0) for second in (0, 1)),
    ]
    found = summarize(pd.DataFrame(rows), "adapter_type")
    assert found["trace"].fillna("").tolist() == ["", "conversations.jsonl 0123456789ab"]
    assert found["median_s"].tolist() == [0.125, 0.375]
    assert found["mib_per_s"].tolist() == pytest.approx([2 / 0.125, 2.0])


def test_a_replay_can_be_summarised_by_second() -> None:
    rows = [second_of_trace("load", second, bytes_ok=(1 + second) * MIB) for second in range(3)]
    found = summarize(pd.DataFrame(rows), ("point_id", "second"))
    assert found["second"].tolist() == [0, 1, 2]
    assert found["mib_per_s"].tolist() == [1.0, 2.0, 3.0]
    assert found["submit_p50_s"].tolist() == [0.375] * 3


def test_clients_are_one_process_unless_they_are_asked_for() -> None:
    rows = [
        round_row("load", number, client=client, clients=2, point_index=0)
        for number in (2, 3, 4)
        for client in (0, 1)
    ]
    points = pd.DataFrame([point_row(client=client, clients=2) for client in (0, 1)])
    (one,) = summarize(pd.DataFrame(rows), points=points).query("phase == 'load'").to_dict("records")
    assert (one["processes"], one["rounds"], one["status"]) == (1, 3, "ok")
    assert one["mib_per_s"] == pytest.approx(2 * 2 / 0.5)
    apart = summarize(pd.DataFrame(rows), ["client"])
    assert apart["client"].tolist() == [0, 1]
    assert apart["mib_per_s"].tolist() == pytest.approx([4.0, 4.0])
