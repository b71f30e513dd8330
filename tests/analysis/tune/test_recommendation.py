"""The recommendation: recomputed from the rows with plain pandas."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from sample_curves import PATH, frame, process_rows
from sample_rows import MIB, point_row

from l2sweep.analysis.tune.ceiling import LMCACHE, Ceiling
from l2sweep.analysis.tune.curve_rows import curve_rows
from l2sweep.analysis.tune.recommendation import recommend
from l2sweep.errors import RequestError

BY = ["adapter", "workers", "data_size_kb", "in_flight"]
# Throughput of fs_native by (workers, size, in_flight): the best number of workers reverses with the size.
FS_NATIVE = {
    (1, 256, 1): 100.0, (1, 256, 4): 101.0, (1, 1024, 1): 60.0, (1, 1024, 4): 70.0,
    (4, 256, 1): 96.0, (4, 256, 4): 98.0, (4, 1024, 1): 90.0, (4, 1024, 4): 110.0,
    (16, 256, 1): 50.0, (16, 256, 4): 60.0, (16, 1024, 1): 100.0, (16, 1024, 4): 111.0,
}  # fmt: skip
FIO = {(4, 256, 8): 200.0, (16, 256, 8): 310.0, (4, 1024, 8): 250.0, (16, 1024, 8): 300.0}
SPREAD = (0.98, 1.0, 1.03)


def measured(**changes: Any) -> pd.DataFrame:
    """Return three processes for each setting of both tables, with two rounds each."""
    processes = []
    index = 0
    for adapter, table in (("fs_native", FS_NATIVE), ("fio", FIO)):
        for (workers, size, in_flight), rate in table.items():
            for factor in SPREAD:
                shared = {"num_workers": workers, "data_size_kb": size, "in_flight": in_flight}
                one = rate * factor
                processes.append(process_rows(index, (one, one / 2), type=adapter, **shared, **changes))
                index += 1
    return frame(*processes)


def plain(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the rate of each process with plain pandas: the sum of the bytes / the sum of the durations."""
    rows = rounds[(rounds["phase"] == "load") & ~rounds["is_warmup"] & (rounds["status"] == "ok")]
    specs = rows["adapter_spec"].map(json.loads)
    rows = rows.assign(
        adapter=specs.map(lambda spec: spec["type"]), workers=specs.map(lambda spec: spec["num_workers"])
    )
    sums = rows.groupby([*BY, "point_index"], as_index=False)[["bytes_ok", "duration_s"]].sum()
    return sums.assign(rate=sums["bytes_ok"] / MIB / sums["duration_s"])


def test_every_number_of_the_curve_follows_from_the_rows() -> None:
    rounds = measured()
    found = recommend(rounds)
    medians = plain(rounds).groupby(BY)["rate"].median()
    rows = curve_rows(found)
    assert len(rows) == len(medians) == len(FS_NATIVE) + len(FIO)
    for row in rows:
        workers = int(row["options"].partition("num_workers=")[2].split()[0])
        size, in_flight = row["data_size_kb"], row["in_flight"]
        rate = medians[row["adapter_type"], workers, size, in_flight]
        assert row["rate"] == pytest.approx(rate)
        assert row["rate_low"] == pytest.approx(rate / SPREAD[1] * SPREAD[0])
        assert row["rate_high"] == pytest.approx(rate / SPREAD[1] * SPREAD[2])
        assert (row["processes"], row["failed_processes"]) == (3, 0)
        own = rounds[
            (rounds["adapter_type"] == row["adapter_type"])
            & (rounds["data_size_kb"] == size)
            & (rounds["in_flight"] == in_flight)
            & rounds["adapter_spec"].str.contains(f'"num_workers": {workers}}}')
            & ~rounds["is_warmup"]
        ]
        assert len(own) == 6
        assert row["queue_depth"] is None  # the counters of the samples are of far more bytes
        if row["adapter_type"] == "fio":
            assert row["fio_share"] is None
            continue
        assert row["fio_share"] == pytest.approx(rate / medians["fio", 4 * in_flight, size, 8])
        best = medians["fio", :, size, 8]
        assert row["fio_best_share"] == pytest.approx(rate / best.max())
        assert row["fio_best_threads"] == best.idxmax() == 16


def test_the_device_columns_follow_from_the_sums_of_the_counters() -> None:
    counters = {
        "block_device_read_bytes": 2 * MIB,
        "block_device_reads": 40,
        "block_device_read_time_s": 0.25,
    }
    rounds = measured(**counters)
    own = rounds[(rounds["adapter_type"] == "fs_native") & (rounds["in_flight"] == 4) & ~rounds["is_warmup"]]
    own = own[own["adapter_spec"].str.contains('"num_workers": 16}') & (own["data_size_kb"] == 256)]
    (row,) = (
        row
        for row in curve_rows(recommend(rounds))
        if (row["options"], row["in_flight"], row["data_size_kb"]) == ("num_workers=16", 4, 256)
    )
    total = own[
        ["block_device_read_time_s", "duration_s", "block_device_read_bytes", "block_device_reads"]
    ].sum()
    assert row["queue_depth"] == pytest.approx(total["block_device_read_time_s"] / total["duration_s"])
    assert row["request_bytes"] == total["block_device_read_bytes"] / total["block_device_reads"]
    assert row["device_latency_s"] == total["block_device_read_time_s"] / total["block_device_reads"]


def test_the_options_are_chosen_and_the_knee_is_that_of_the_chosen_ones() -> None:
    rounds = measured()
    found = recommend(rounds)
    (adapter,) = found.adapters
    table = plain(rounds).query("adapter == 'fs_native'").groupby(BY[1:])["rate"].median().unstack("workers")
    losses = 1 - table.div(table.max(axis=1), axis=0)
    assert adapter.choice is not None
    assert adapter.option is not None
    assert dict(adapter.option.options) == {"num_workers": losses.max().idxmin()} == {"num_workers": 4}
    assert adapter.choice.candidates[0].loss == pytest.approx(losses.max().min())
    assert [(one.use.data_size_kb, one.use.in_flight) for one in adapter.advice] == [(256, 1), (1024, 4)]
    assert {one.use.value("adapter.num_workers") for one in adapter.advice} == {4}
    ceilings = [one.ceiling for one in adapter.advice]
    assert [one.limit for one in ceilings if isinstance(one, Ceiling)] == [LMCACHE, LMCACHE]
    assert (found.best, found.over, found.fewest_processes) == (None, "in_flight", 3)
    knees = [row for row in curve_rows(found) if row["is_knee"]]
    assert [(row["data_size_kb"], row["in_flight"]) for row in knees] == [(256, 1), (1024, 4)]


def test_curves_over_an_option_are_shown_for_every_workload() -> None:
    (adapter,) = recommend(measured(), over="num_workers").adapters
    use = {(one.use.data_size_kb, one.use.in_flight): one.use for one in adapter.advice}
    knees = {place: one.value("adapter.num_workers") for place, one in use.items()}
    assert knees == {(256, 1): 1, (256, 4): 1, (1024, 1): 16, (1024, 4): 4}


def test_the_best_of_all_adapters_is_chosen_at_one_place_alone() -> None:
    one = frame(process_rows(0, 10.0, type="fs"), process_rows(1, 12.0, num_workers=4))
    best = recommend(one).best
    assert best is not None
    assert best.candidates[0].option.adapter == "fs_native"
    elsewhere = frame(process_rows(0, 10.0, type="fs"), process_rows(1, 12.0, path="/other"))
    assert recommend(elsewhere).best is None


def test_a_process_that_failed_before_it_loaded_rules_its_setting_out() -> None:
    rounds = frame(
        process_rows(0, 50.0), process_rows(1, 90.0, in_flight=2), process_rows(2, 99.0, in_flight=4)
    )
    spec = rounds["adapter_spec"].iloc[0]
    lost = point_row(
        point_index=3,
        status="crashed",
        cache_mode="cold",
        adapter_type="fs_native",
        adapter_spec=spec,
        data_size_kb=256,
        num_keys=4,
        in_flight=4,
    )
    (adapter,) = recommend(rounds, points=pd.DataFrame([lost])).adapters
    assert [one.use.in_flight for one in adapter.advice] == [2]
    (adapter,) = recommend(rounds).adapters
    assert [one.use.in_flight for one in adapter.advice] == [4]


def test_only_controls_are_refused() -> None:
    with pytest.raises(RequestError, match="only controls were measured for load at cold: add an adapter"):
        recommend(frame(process_rows(0, 50.0, type="fio")))


def test_adapters_that_all_failed_are_refused() -> None:
    rows = process_rows(0, 50.0)
    rows[-1]["status"] = "partial"
    with pytest.raises(RequestError, match="no process of an adapter was complete"):
        recommend(frame(rows))


def test_a_warm_load_is_never_recommended_for_cold() -> None:
    rounds = frame(process_rows(0, 50.0), process_rows(1, 9000.0, in_flight=2, cache_state="warm"))
    (adapter,) = recommend(rounds).adapters
    assert [one.use.in_flight for one in adapter.advice] == [1]
    assert adapter.settings[0].spec.path == PATH
