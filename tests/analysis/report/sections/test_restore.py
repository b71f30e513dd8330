"""Tests of l2sweep.analysis.report.sections.restore: computed again from the rows."""

from __future__ import annotations

import statistics

import pytest
from made_reports import made_rows, source_of

from l2sweep.analysis.report.contents.restore import Restore
from l2sweep.analysis.report.sections.restore import restore
from l2sweep.analysis.report.source import ReportSource
from l2sweep.config.workload.presets import gpu, model_geometry

MODELS = [model_geometry("llama-3.1-8b"), model_geometry("llama-3.1-405b")]
CHUNK_KB = 32 * 1024
KEYS = (8, 32, 128, 512)
"""Keys of a submit: 2k to 128k tokens of 256 to a key."""


@pytest.fixture(scope="module")
def source() -> ReportSource:
    rounds, points = [], []
    for number, keys in enumerate(KEYS):
        own_rounds, own_points = made_rows(number, adapters=("fs", "fio"), sizes_kb=(CHUNK_KB,), depths=(1,))
        for row in (*own_rounds, *own_points):
            row.update(num_keys=keys, sweep_id="mine", point_index=row["point_index"] + 100 * number)
            row["lookup_max_hit_rate"] = 1.0  # a lookup of which keys miss is no part of a restore
            row["point_id"] += f"-{keys}"
        for row in own_rounds:
            row["bytes_ok"] = keys * CHUNK_KB * 1024 if row["phase"] != "lookup" else 0
            row["keys_requested"] = keys
        rounds += own_rounds
        points += own_points
    return source_of(rounds, points)


@pytest.fixture(scope="module")
def found(source: ReportSource) -> Restore:
    return restore(source.rounds, source.points, MODELS, gpu("h100-sxm"))


def rate(source: ReportSource, phase: str, keys: int) -> float:
    rows = source.rounds.query(f"phase == '{phase}' and adapter_type == 'fs' and num_keys == {keys}")
    moved = "keys_requested" if phase == "lookup" else "bytes_ok"
    sums = rows.groupby("point_index")[[moved, "duration_s"]].sum()
    return statistics.median(sums[moved] / sums["duration_s"])


def test_a_restore_time_is_the_lookup_and_the_load_of_its_bytes(source: ReportSource, found: Restore) -> None:
    times = {one.tokens: one for one in found.times}
    assert list(times) == [8192, 32768, 131072]
    for tokens, one in times.items():
        keys = tokens // 256
        num_bytes = keys * CHUNK_KB * 1024
        expected = keys / rate(source, "lookup", keys) + num_bytes / rate(source, "load", keys)
        assert (one.model, one.adapter, one.temperature) == ("llama-3.1-8b", "fs", "cold")
        assert one.kv_bytes == num_bytes
        assert one.load_s == pytest.approx(expected)
        assert one.low_s is not None
        assert one.high_s is not None
        assert one.low_s <= one.load_s <= one.high_s
        assert one.mib_per_s == pytest.approx(rate(source, "load", keys) / 2**20)
        assert one.basis == "measured"


def test_a_model_whose_size_was_not_measured_has_a_sentence_and_no_number(found: Restore) -> None:
    assert {one.model for one in found.times} == {"llama-3.1-8b"}
    (sentence,) = found.not_measured
    assert sentence.startswith(
        "Not measured: restore times of llama-3.1-405b (129,024 KiB a key). The reason: only 32768 "
    )


def test_the_break_even_says_what_is_assumed(found: Restore) -> None:
    (curve,) = found.break_evens
    assert (curve.model, curve.gpu, curve.adapter) == ("llama-3.1-8b", "h100-sxm", "fs")
    assert "Nothing was measured on a GPU." in curve.assumption
    assert [point.tokens for point in curve.points] == [1024 * 2**step for step in range(8)]
    known = [point for point in curve.points if point.load_s is not None]
    assert [point.tokens for point in known] == [2048 * 2**step for step in range(7)]
    for point in known:
        assert point.prefill_low_s < point.prefill_high_s
    first = curve.points[0]
    assert first.load_s is None
    assert first.basis.startswith("not measured: ")
    assert curve.sentence.startswith("At an MFU of 60%, loading is ")


def test_a_time_without_its_lookup_says_so(source: ReportSource) -> None:
    """Half of the keys were never stored: such a lookup is not that of keys that are loaded."""
    rounds = source.rounds.assign(lookup_max_hit_rate=0.5)
    (first, *_) = restore(rounds, source.points.assign(lookup_max_hit_rate=0.5), MODELS[:1], None).times
    assert first.load_s == pytest.approx(first.kv_bytes / rate(source, "load", 32))
    assert first.basis == "measured; without the lookup, which was not measured"


def test_controls_restore_nothing_and_no_load_is_a_sentence() -> None:
    rounds, points = made_rows(adapters=("fio", "mock"), sizes_kb=(CHUNK_KB,), depths=(1,))
    source = source_of(rounds, points)
    empty = restore(source.rounds, source.points, MODELS, None)
    assert empty.times == empty.break_evens == ()
    assert empty.not_measured[0].startswith("Not measured: no load of an adapter")
