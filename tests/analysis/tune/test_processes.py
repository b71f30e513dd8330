"""Which processes count, and the sums over their rounds."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from made_clients import client_rows
from sample_curves import frame, process_rows
from sample_rows import MIB, auto_point_row, point_row

from l2sweep.analysis.clients.merging import first_clients, merged
from l2sweep.analysis.tune.processes import POINT_COLUMNS, TEMPERATURES, processes
from l2sweep.analysis.tune.settings import settings
from l2sweep.errors import RequestError
from l2sweep.records import schema


def test_a_process_has_the_throughput_of_all_its_measured_rounds() -> None:
    rounds = frame(process_rows(0, (10.0, 30.0)), process_rows(1, 5.0))
    measured = rounds[~rounds["is_warmup"]]
    sums = measured.groupby("point_index")[["bytes_ok", "duration_s"]].sum()
    expected = list(sums["bytes_ok"] / MIB / sums["duration_s"])
    assert expected == pytest.approx([15.0, 5.0])
    assert list(processes(rounds, "load", "cold")["rate"]) == pytest.approx(expected)


def test_a_lookup_counts_the_keys_that_were_asked_for() -> None:
    rounds = frame(process_rows(0, 1.0, "lookup", duration_s=0.5))
    assert list(processes(rounds, "lookup", "cold")["rate"]) == [16.0]


@pytest.mark.parametrize(
    "changes",
    [{"status": "partial"}, {"status": "error"}, {"status": "timeout", "duration_s": None}, {"rounds": 3}],
    ids=str,
)
def test_a_process_with_a_failed_or_missing_round_is_not_complete(changes: dict[str, Any]) -> None:
    second = process_rows(1, (9.0, 9.0))
    second[-1].update(changes)
    if "rounds" in changes:
        second = [{**row, **changes} for row in second]
    found = processes(frame(process_rows(0, 1.0), second), "load", "cold")
    assert list(found["is_complete"]) == [True, False]


def test_only_the_last_attempt_at_a_point_counts() -> None:
    rounds = frame(process_rows(0, 9.0, attempt=1, status="error"), process_rows(0, 5.0, attempt=2))
    found = processes(rounds, "load", "cold")
    assert list(found["rate"]) == [5.0]
    assert list(found["is_complete"]) == [True]


def test_a_process_beside_a_profiler_does_not_count() -> None:
    rounds = frame(process_rows(0, 9.0, profile="flamegraph:wall"), process_rows(1, 5.0))
    assert list(processes(rounds, "load", "cold")["rate"]) == [5.0]


@pytest.mark.parametrize("at", TEMPERATURES)
@pytest.mark.parametrize("state", ["cold", "warm", "bypassed", "claimed", "uncontrolled", None])
def test_each_state_of_the_page_cache_counts_at_one_temperature(at: str, state: str | None) -> None:
    expected = {
        "cold": "cold",
        "bypassed": "cold",
        "warm": "hot",
        None: "hot",
        "claimed": "claimed",
        "uncontrolled": "uncontrolled",
    }[state]
    rounds = frame(process_rows(0, 9.0, cache_state=state))
    if at == expected:
        assert len(processes(rounds, "load", at)) == 1
        return
    with pytest.raises(RequestError, match=rf"no load is {at} \(processes: 1 {state or 'without a state'}\)"):
        processes(rounds, "load", at)


def test_a_process_whose_rounds_have_two_states_has_none_of_them() -> None:
    mixed = process_rows(0, (9.0, 9.0))
    mixed[-1]["cache_state"] = "warm"
    for at in ("cold", "hot"):
        with pytest.raises(RequestError, match="1 mixed"):
            processes(frame(mixed), "load", at)


@pytest.mark.parametrize("at", ["cold", "hot"])
def test_a_store_has_no_temperature(at: str) -> None:
    assert len(processes(frame(process_rows(0, 9.0, "store")), "store", at)) == 1


def test_a_phase_that_was_not_measured_is_refused() -> None:
    with pytest.raises(RequestError, match="no lookup was measured in these sweeps; run a sweep with this"):
        processes(frame(process_rows(0, 9.0)), "lookup", "cold")


def test_counters_are_summed_and_missing_if_that_of_a_round_is() -> None:
    partly = process_rows(1, (1.0, 1.0))
    partly[-1]["block_device_reads"] = None
    found = processes(frame(process_rows(0, (1.0, 1.0)), partly), "load", "cold")
    assert list(found["block_device_reads"].fillna(-1)) == [128, -1]
    assert list(found["block_device_read_time_s"]) == [1.5, 1.5]


@pytest.mark.parametrize("status", ["failed", "crashed", "timeout", "refused", "memory_limit", "unreadable"])
def test_a_process_that_failed_before_it_loaded_is_not_complete(status: str) -> None:
    rounds = frame(process_rows(0, 9.0), process_rows(2, 7.0, cache_state="warm"))
    lost = {"point_index": 1, "status": status, "lmcache_version": None, "cache_mode": "cold"}
    points = pd.DataFrame(
        [point_row(cache_mode="cold"), point_row(**lost, phase="store"), point_row(**lost, phase="load")]
    )
    found = processes(rounds, "load", "cold", points)
    assert list(found["point_index"]) == [0, 1]
    assert list(found["is_complete"]) == [True, False]
    assert list(found["lmcache_version"]) == ["0.5.6", "0.5.6"]
    assert len(processes(rounds, "load", "hot", points)) == 1  # it should have been cold


def test_a_failed_round_without_a_state_does_not_hide_its_process() -> None:
    partly = process_rows(1, (9.0, 9.0))
    partly[-1].update(status="error", cache_state=None, bytes_ok=0)
    found = processes(frame(process_rows(0, (9.0, 9.0)), partly), "load", "cold")
    assert list(found["is_complete"]) == [True, False]


@pytest.mark.parametrize("states", [(None, None), ("cold", "warm")])
def test_a_process_that_failed_in_no_known_state_is_not_complete(states: tuple[str | None, ...]) -> None:
    failed = process_rows(1, (9.0, 9.0))
    for row, state in zip(failed[1:], states, strict=True):
        row.update(status="error", cache_state=state)
    rounds = frame(process_rows(0, (9.0, 9.0)), failed, process_rows(2, (7.0, 7.0), cache_state="warm"))
    of_failed = {"adapter_spec": failed[0]["adapter_spec"], "status": "failed", "cache_mode": "cold"}
    points = pd.DataFrame([point_row(cache_mode="cold"), point_row(point_index=1, **of_failed)])
    found = processes(rounds, "load", "cold", points)
    assert list(found["point_index"]) == [0, 1]
    assert list(found["is_complete"]) == [True, False]


@pytest.mark.parametrize(
    "changes", [{"status": "ok"}, {"status": "warm"}, {"status": "stopped"}, {"attempt": 1}]
)
def test_a_process_that_did_not_fail_is_not_added(changes: dict[str, Any]) -> None:
    rows = [point_row(point_index=1, **{"status": "failed", "cache_mode": "cold", **changes})]
    if "attempt" in changes:
        rows.append(point_row(point_index=1, attempt=2, cache_mode="cold"))
    assert len(processes(frame(process_rows(0, 9.0)), "load", "cold", pd.DataFrame(rows))) == 1


@pytest.mark.parametrize(
    ("changes", "is_complete"),
    [
        ({}, True),
        ({"load_rounds_ended_by": "max_seconds"}, True),
        ({"status": "crashed"}, True),  # behind the last phase
        ({"status": "crashed", "load_rounds_ended_by": None}, False),
        ({"load_rounds_ended_by": None}, False),
        ({"phase": "store"}, False),  # the process of another phase
        ({"precision": None}, False),
    ],
    ids=str,
)
def test_a_process_whose_number_of_rounds_is_open_is_complete_if_its_phase_came_to_its_end(
    changes: dict[str, Any], is_complete: bool
) -> None:
    rounds = frame(process_rows(0, (9.0, 9.0), rounds=50), process_rows(1, (9.0, 9.0)))
    points = pd.DataFrame(
        [
            auto_point_row(**{"phase": "all", "cache_mode": "cold", **changes}),
            point_row(point_index=1, phase="all", cache_mode="cold"),
        ]
    )[list(POINT_COLUMNS)]
    assert list(processes(rounds, "load", "cold", points)["is_complete"]) == [is_complete, True]


def test_the_columns_that_are_read_exist() -> None:
    assert set(POINT_COLUMNS) <= set(schema.POINTS.names)


def test_a_process_says_what_answered_its_lookups() -> None:
    rounds = frame(
        process_rows(0, 1.0, "lookup", lookup_answered_by="client_cache"),
        process_rows(1, 1.0, "lookup", lookup_answered_by="server"),
    )
    assert list(processes(rounds, "lookup", "cold")["lookup_answered_by"]) == ["client_cache", "server"]
    kept_from_earlier = rounds.drop(columns="lookup_answered_by")
    assert processes(kept_from_earlier, "lookup", "cold")["lookup_answered_by"].isna().all()


def test_settings_whose_lookups_were_answered_differently_are_never_compared() -> None:
    rounds = frame(
        process_rows(0, 1.0, "lookup", lookup_answered_by="client_cache"),
        process_rows(1, 1.0, "lookup", lookup_answered_by="server"),
        process_rows(2, 1.0, "lookup", lookup_answered_by="server"),
    )
    found = settings(rounds, "lookup", "cold")
    assert [(one.lookup_answered_by, len(one.rates)) for one in found] == [("client_cache", 1), ("server", 2)]
    assert found[0].place != found[1].place


def test_a_process_that_failed_before_its_lookup_counts_for_its_setting() -> None:
    rounds = frame(process_rows(0, 1.0, "lookup", lookup_answered_by="index"))
    shape = {name: rounds[name][0] for name in ("adapter_spec", "num_keys", "in_flight", "data_size_kb")}
    failed = point_row(point_index=1, status="crashed", cache_mode="cold", phase="lookup", **shape)
    (one,) = settings(rounds, "lookup", "cold", pd.DataFrame([failed]))
    assert (one.failed, one.lookup_answered_by, one.is_candidate) == (1, "index", False)


def test_replays_of_a_trace_are_left_out() -> None:
    replay = [{**row, "trace": "a.jsonl 0123456789ab", "second": 0} for row in process_rows(1, 9.0)]
    assert list(processes(frame(process_rows(0, 5.0), replay), "load", "cold")["rate"]) == [5.0]


def test_points_with_several_clients_are_left_out() -> None:
    several = [{**row, "clients": 4} for row in process_rows(0, 9.0)]
    rounds = frame(several, process_rows(1, 5.0))
    assert list(processes(rounds, "load", "cold")["rate"]) == [5.0]
    with pytest.raises(RequestError, match="breakeven: points with several clients are left out"):
        processes(frame(several), "load", "cold", command="breakeven")


def test_points_with_several_clients_count_where_they_are_asked_for() -> None:
    rounds, points = client_rows({1: (100.0,), 4: (300.0,)}, hosts={4: 2})
    ended = pd.DataFrame(points).assign(cache_mode="cold")
    ended.loc[ended["clients"] == 4, "status"] = "crashed"
    lost = [row for row in rounds if row["clients"] == 1]
    asked = {"points": first_clients(ended), "with_clients": True}
    every = processes(merged(pd.DataFrame(rounds)), "load", "cold", **asked)
    assert list(zip(every["clients"], every["hosts"], every["is_complete"], strict=True)) == [
        *((1, 1, True), (4, 2, True))
    ]
    assert list(every["rate"]) == pytest.approx([100, 300])
    failed = processes(merged(pd.DataFrame(lost)), "load", "cold", **asked)
    assert list(zip(failed["clients"], failed["hosts"], failed["is_complete"], strict=True)) == [
        *((1, 1, True), (4, 2, False))
    ]


def test_rows_of_earlier_versions_have_one_client() -> None:
    old = frame(process_rows(0, 5.0)).drop(columns=["client", "clients", "hosts"])
    (one,) = settings(old, "load", "cold", with_clients=True)
    assert (one.clients, one.hosts) == (1, 1)
