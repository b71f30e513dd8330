"""Tests of l2sweep.analysis.report.sections.verdict: what the first sentence says, and how sure it is."""

from __future__ import annotations

import json
import statistics

from made_nights import small_night
from made_reports import made_rows, made_source, source_of

from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.report.build import build_report
from l2sweep.analysis.report.contents.overview import Verdict
from l2sweep.analysis.report.source import ReportSource
from l2sweep.analysis.tune.recommendation import recommend
from l2sweep.analysis.tune.sentences import sentences


def verdict(source: ReportSource) -> Verdict:
    return build_report(source).verdict


def test_the_sentence_names_the_fastest_adapter_and_what_it_reaches_as_in_the_rows() -> None:
    source = made_source(repeats=6, sizes_kb=(256,))
    found = verdict(source)
    assert found.certainty.startswith("fs is up to 2")
    assert "below, beyond the 95% intervals. fs_native reaches " in found.certainty
    loads = source.rounds.query("phase == 'load' and adapter_type == 'fs_native' and in_flight == 4")
    sums = loads.groupby("point_index")[["bytes_ok", "duration_s"]].sum()
    rate = statistics.median(sums["bytes_ok"] / 2**20 / sums["duration_s"])
    assert found.sentence == (
        "For cold loads, use fs_native: the fastest of 2 adapters and options in each of 3 workloads, "
        f"{rate:.0f} MiB/s."
    )
    assert f"fs_native reaches {rate:.0f} MiB/s (" in found.certainty
    assert found.certainty.endswith("% of fio at the same depth.")
    assert found.compared is None


def test_the_reasons_are_those_of_tune() -> None:
    source = made_source(sizes_kb=(256, 1024))
    found = recommend(source.rounds, points=source.points)
    assert verdict(source).reasons == tuple(sentences(found))


def test_the_recommended_settings_are_marked() -> None:
    report = build_report(made_source(sizes_kb=(256, 1024)))
    marked = [one for one in report.throughput.settings if one.is_recommended]
    assert {(one.adapter, one.phase, one.temperature) for one in marked} == {("fs_native", "load", "cold")}
    assert {one.data_size_kb for one in marked} == {256, 1024}


def test_one_process_a_setting_is_not_sure() -> None:
    found = verdict(made_source(repeats=1, sizes_kb=(256,)))
    assert "but how sure that is is not known: each setting needs 3 processes or more" in found.certainty


def test_adapters_that_are_equally_fast_are_not_told_apart() -> None:
    rounds, points = made_rows(adapters=("fs", "fs_native"), sizes_kb=(256,), depths=(1,), repeats=5)
    for row in rounds:
        if row["adapter_type"] == "fs_native":
            row["duration_s"] /= 0.8
    certainty = verdict(source_of(rounds, points)).certainty
    assert "but not beyond intervals that hold at most 94% of the time" in certainty


def test_controls_are_never_recommended() -> None:
    found = verdict(made_source(adapters=("fs", "fio", "mock"), sizes_kb=(256,), depths=(1,)))
    assert found.sentence.startswith("For cold loads, fs is the only adapter that was measured: ")
    only = verdict(made_source(adapters=("fio", "mock"), sizes_kb=(256,), depths=(1,)))
    assert only.sentence.startswith("Nothing to recommend: only controls were measured for load at cold")
    assert only.reasons == ()


def test_hot_loads_are_not_sold_as_cold_ones() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    for row in rounds:
        if row["phase"] == "load":
            row["cache_state"] = "warm"
    found = verdict(source_of(rounds, points))
    assert found.sentence.startswith("For hot loads, fs is the only adapter that was measured: ")
    assert "This is not about cold loads: no load is cold (processes: 3 warm)" in found.sentence


def test_a_sweep_without_loads_speaks_of_stores() -> None:
    rounds, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    for row in points:
        row["only"] = "store"
    found = verdict(source_of([row for row in rounds if row["phase"] == "store"], points))
    assert found.sentence.startswith("For stores, fs is the only adapter that was measured: ")


def test_nothing_measured_is_said_with_the_reason() -> None:
    _, points = made_rows(adapters=("fs",), sizes_kb=(256,), depths=(1,))
    for row in points:
        row.update(status="crashed", detail="signal 11")
    found = verdict(source_of([], points))
    assert found.sentence.startswith("Nothing to recommend: no load was measured in these sweeps")
    assert any("3 of 3 processes did not end well (3 crashed)" in caveat for caveat in found.caveats)


def test_adapters_on_several_paths_are_not_ranked() -> None:
    rounds, points = made_rows(adapters=("fs", "fs_native"), sizes_kb=(256,), depths=(1,))
    for row in (*rounds, *points):
        if row["adapter_type"] == "fs":
            row["adapter_spec"] = json.dumps({"type": "fs", "base_path": "/mnt/other"})
    found = verdict(source_of(rounds, points))
    assert found.sentence == (
        "For cold loads, no adapter is called the best: they were measured on different hosts, paths or "
        "releases of LMCache."
    )


def test_a_failed_process_keeps_its_setting_out_and_is_a_caveat() -> None:
    rounds, points = made_rows(adapters=("fs", "fs_native"), sizes_kb=(256,), depths=(1,))
    bad = next(row for row in rounds if row["adapter_type"] == "fs_native" and row["phase"] == "load")
    bad.update(status="error", duration_s=None)
    points[bad["point_index"]].update(status="failed")
    found = verdict(source_of(rounds, points))
    assert "use fs: the only one that was measured in the one workload without a failure, " in found.sentence
    assert found.certainty.startswith(
        "1 other left out, since not measured in every workload or failed there."
    )
    assert any("1 of 6 processes did not end well" in caveat for caveat in found.caveats)


def test_the_base_is_named_with_the_answer_of_compare() -> None:
    base, now = small_night(0).rows(), small_night(1, factors={("fs", "load"): 1.5}).rows()
    result = compare_tables([base[0], now[0]], [base[1], now[1]], controls=CONTROLS)
    source = source_of(*made_rows(sizes_kb=(256,)), compared=result, base_ids=("night-000",))
    assert verdict(source).compared == f"Against the base (night-000): {result.headline}."
    unlike = source_of(
        *made_rows(sizes_kb=(256,)), why_not_compared="There is no comparison with the base: x."
    )
    assert verdict(unlike).compared == "There is no comparison with the base: x."
