"""Tests of l2sweep.analysis.report.sections.throughput and curves: computed again from the rows."""

from __future__ import annotations

import itertools
import json
import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_reports import DEPTHS, SIZES_KB, made_rows, made_source, source_of

from l2sweep.analysis.report.contents.curves import MeasuredSetting, Throughput
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.report.sections.throughput import throughput
from l2sweep.analysis.report.sections.verdict import recommendation_of
from l2sweep.analysis.report.source import ReportSource

Key = tuple[str, str, int, int]


@pytest.fixture(scope="module")
def source() -> ReportSource:
    return made_source()


@pytest.fixture(scope="module")
def found(source: ReportSource) -> Throughput:
    return of(source)


def of(source: ReportSource) -> Throughput:
    return throughput(Measured.of(source), recommendation_of(source.rounds, source.points)[0])


def rates(rounds: pd.DataFrame) -> dict[Key, list[float]]:
    """Return the throughput of each process."""
    moved = rounds["bytes_ok"] / 2**20
    moved = moved.where(rounds["phase"] != "lookup", rounds["keys_requested"])
    sums = (
        rounds.assign(moved=moved)
        .groupby(["phase", "adapter_type", "data_size_kb", "in_flight", "point_index"])[
            ["moved", "duration_s"]
        ]
        .sum()
    )
    found: dict[Key, list[float]] = {}
    for key, rate in (sums["moved"] / sums["duration_s"]).items():
        assert isinstance(key, tuple)
        found.setdefault(key[:4], []).append(float(rate))
    return found


def key_of(one: MeasuredSetting) -> Key:
    return one.phase, one.adapter, one.data_size_kb, one.in_flight


def interval_of(values: list[float]) -> tuple[float, float]:
    """Return the percentile interval of the median over all resamples, which are few."""
    medians = np.array([np.median(drawn) for drawn in itertools.product(values, repeat=len(values))])
    low, high = np.percentile(medians, [2.5, 97.5], method="inverted_cdf")
    return float(low), float(high)


def test_every_rate_and_interval_follows_from_the_rows(source: ReportSource, found: Throughput) -> None:
    expected = rates(source.rounds)
    assert sorted(map(key_of, found.settings)) == sorted(expected)
    for one in found.settings:
        own = expected[key_of(one)]
        assert one.rate == pytest.approx(statistics.median(own))
        assert (one.rate_low, one.rate_high) == pytest.approx(interval_of(own))
        assert (one.processes, one.failed_processes) == (3, 0)
        assert one.unit == ("keys/s" if one.phase == "lookup" else "MiB/s")
        assert one.temperature == {"load": "cold", "lookup": "hot", "store": None}[one.phase]


def test_the_share_of_fio_follows_from_the_rows(source: ReportSource, found: Throughput) -> None:
    """fio has as many threads as keys are in flight: 4 keys a submit, and the same number of submits."""
    expected = {key: statistics.median(own) for key, own in rates(source.rounds).items()}
    checked = 0
    for one in found.settings:
        if one.is_control or one.phase == "lookup":
            assert one.fio_rate is None
            continue
        same = expected[one.phase, "fio", one.data_size_kb, one.in_flight]
        best = max(expected[one.phase, "fio", one.data_size_kb, depth] for depth in DEPTHS)
        rate = expected[key_of(one)]
        assert (one.fio_rate, one.fio_best_rate) == pytest.approx((same, best))
        assert (one.fio_share, one.fio_best_share) == pytest.approx((rate / same, rate / best))
        assert one.fio_share_low is not None
        assert one.fio_share_high is not None
        assert one.fio_share_low <= rate / same <= one.fio_share_high
        checked += 1
    assert checked == 2 * len(SIZES_KB) * len(DEPTHS) * 2


def test_the_queue_depth_follows_from_the_counters(source: ReportSource, found: Throughput) -> None:
    """Little's law: the time of all requests divided by the duration."""
    loads = source.rounds[source.rounds["phase"] == "load"]
    sums = loads.groupby(["adapter_type", "data_size_kb", "in_flight"])[
        ["block_device_read_time_s", "duration_s", "block_device_reads"]
    ].sum()
    for one in found.settings:
        if one.phase == "load":
            own = sums.loc[(one.adapter, one.data_size_kb, one.in_flight)]
            assert one.queue_depth == pytest.approx(own["block_device_read_time_s"] / own["duration_s"])
            assert one.device_latency_s == pytest.approx(
                own["block_device_read_time_s"] / own["block_device_reads"]
            )


def test_a_curve_has_ascending_settings_that_differ_in_one_field_alone(found: Throughput) -> None:
    assert {curve.over for curve in found.curves} == {"data_size_kb", "in_flight"}
    for curve in found.curves:
        own = [found.settings[place] for place in curve.settings]
        values = [getattr(one, curve.over) for one in own]
        assert values == sorted(set(values))
        assert len(values) == 3
        others = {"data_size_kb", "in_flight", "num_keys", "adapter", "phase", "temperature"} - {curve.over}
        for name in others:
            assert len({getattr(one, name) for one in own}) == 1
        assert (curve.adapter, curve.phase) == (own[0].adapter, own[0].phase)
        rest = "in_flight" if curve.over == "data_size_kb" else "data_size_kb"
        assert curve.label == f"{rest}={getattr(own[0], rest)}"


def test_a_knee_is_the_smallest_setting_within_5_percent_of_the_best(found: Throughput) -> None:
    knees = set()
    for curve in found.curves:
        if curve.is_control:
            assert curve.knee is None
            continue
        own = [found.settings[place] for place in curve.settings]
        best = max(one.rate or 0 for one in own)
        first = next(
            place for place, one in zip(curve.settings, own, strict=True) if (one.rate or 0) >= 0.95 * best
        )
        assert curve.knee == first
        if curve.over == "in_flight":
            knees.add(first)
    assert {place for place, one in enumerate(found.settings) if one.is_knee} == knees


def test_a_heat_map_has_each_cell_once_and_no_control(found: Throughput) -> None:
    maps = {(one.adapter, one.phase): one for one in found.heat_maps}
    assert set(maps) == {
        (adapter, phase) for adapter in ("fs", "fs_native") for phase in ("load", "store", "lookup")
    }
    for one in maps.values():
        assert (one.x, one.y, one.label) == ("in_flight", "data_size_kb", "")
        cells = [
            (found.settings[place].in_flight, found.settings[place].data_size_kb) for place in one.settings
        ]
        assert sorted(cells) == sorted(itertools.product(DEPTHS, SIZES_KB))


def test_a_field_that_follows_from_the_size_does_not_split_curves_and_maps() -> None:
    """As num_keys of the nightly sweep."""
    rounds, points = made_rows(adapters=("fs",))
    for row in (*rounds, *points):
        row["num_keys"] = {256: 8, 1024: 4, 4096: 2}[row["data_size_kb"]]
    found = of(source_of(rounds, points))
    over_size = [one for one in found.curves if one.over == "data_size_kb" and one.phase == "load"]
    assert len(over_size) == len(DEPTHS)
    assert {(one.also_varies, one.knee) for one in over_size} == {(("num_keys",), None)}
    assert {one.also_varies for one in found.curves if one.over == "in_flight"} == {()}
    (heat_map,) = [one for one in found.heat_maps if one.phase == "load"]
    assert (heat_map.x, heat_map.y, len(heat_map.settings)) == ("in_flight", "data_size_kb", 9)


def test_options_of_an_adapter_have_curves_and_maps_of_their_own() -> None:
    rounds, points = made_rows(adapters=("fs",), repeats=1)
    more_rounds, more_points = made_rows(number=1, adapters=("fs",), repeats=1)
    spec = json.dumps({"type": "fs", "base_path": "/mnt/nvme/kv", "num_workers": 8})
    for row in (*more_rounds, *more_points):
        row.update(adapter_spec=spec, point_id=f"{row['point_id']}-8")
    found = of(source_of([*rounds, *more_rounds], [*points, *more_points]))
    loads = [one for one in found.heat_maps if one.phase == "load"]
    assert sorted(one.label for one in loads) == ["num_workers=-", "num_workers=8"]
    labels = {one.label for one in found.curves if one.phase == "load" and one.over == "in_flight"}
    assert "num_workers=8 data_size_kb=256" in labels


def test_one_process_a_setting_has_no_interval() -> None:
    found = of(made_source(repeats=1))
    assert {(one.rate_low, one.rate_high, one.fio_share_low) for one in found.settings} == {
        (None, None, None)
    }


def test_what_has_no_data_is_a_sentence_and_no_figure() -> None:
    found = of(made_source(adapters=("fs",), sizes_kb=(256,), depths=(1,)))
    assert found.curves == found.heat_maps == ()
    text = "\n".join(found.not_measured)
    for missing in ("object size", "in-flight", "keys of a submit", "a grid", "hot loads", "the ceiling"):
        assert missing in text
    assert all(line.startswith("Not measured: ") for line in found.not_measured)
    assert "cold loads" not in text


def test_a_failed_process_is_no_sample() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    bad: Any = next(row for row in rounds if row["phase"] == "load")
    bad.update(status="error", detail="a rule was broken", duration_s=None)
    points[0].update(status="failed")
    load = next(one for one in of(source_of(rounds, points)).settings if one.phase == "load")
    assert (load.processes, load.failed_processes, load.is_recommended) == (2, 1, False)
