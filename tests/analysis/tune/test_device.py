"""What follows from the counters of block devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sample_rows import STEM, point_row, round_row

from l2sweep.analysis.tune.device import COUNTERS, DERIVED_COLUMNS, derived_of
from l2sweep.records.reader import load_rounds
from l2sweep.records.writer import write_point

QUEUE_DEPTH, REQUEST_BYTES, LATENCY, BUSY = DERIVED_COLUMNS
LOAD: dict[str, Any] = {
    "duration_s": 2.0,
    "block_device_reads": 100,
    "block_device_read_bytes": 6_400_000,
    "block_device_read_time_s": 3.0,
    "block_device_busy_s": 1.5,
}


def derived(phase: str = "load", **changes: Any) -> pd.Series:
    row = round_row(phase, **{**LOAD, **changes})
    values = {name: np.array([row[name]], dtype=np.float64) for name in ("duration_s", "flush_s", *COUNTERS)}
    return pd.Series({name: one[0] for name, one in derived_of(np.array([phase == "store"]), values).items()})


def test_a_load_is_described_by_its_reads() -> None:
    row = derived()
    assert row[QUEUE_DEPTH] == 1.5  # 3 s of requests in 2 s
    assert row[REQUEST_BYTES] == 64_000
    assert row[LATENCY] == 0.03
    assert row[BUSY] == 0.75


def test_a_store_is_described_by_its_writes_until_its_flush_ends() -> None:
    writes = {"block_device_writes": 20, "block_device_write_bytes": 40_000, "block_device_write_time_s": 1.0}
    row = derived("store", flush_s=0.5, **writes)
    assert (row[QUEUE_DEPTH], row[REQUEST_BYTES], row[LATENCY], row[BUSY]) == (0.4, 2_000, 0.05, 0.6)
    assert derived("store", flush_s=None, **writes)[QUEUE_DEPTH] == 0.5


@pytest.mark.parametrize("phase", ["load", "lookup"])
def test_a_flush_is_no_part_of_a_round_that_reads(phase: str) -> None:
    assert derived(phase, flush_s=9.0)[QUEUE_DEPTH] == 1.5


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"block_device_reads": 10}, set()),
        ({"block_device_reads": 9}, set(DERIVED_COLUMNS)),
        ({"block_device_reads": None}, set(DERIVED_COLUMNS)),
        ({"duration_s": None}, {QUEUE_DEPTH, REQUEST_BYTES, LATENCY, BUSY}),
        ({"block_device_read_time_s": 0.02}, set()),
        ({"block_device_read_time_s": 0.019}, {QUEUE_DEPTH, LATENCY}),
        ({"duration_s": 0.2}, set()),
        ({"duration_s": 0.199}, {BUSY}),
    ],
)
def test_what_the_counters_are_too_coarse_for_is_missing(changes: dict[str, Any], missing: set[str]) -> None:
    row = derived(**changes)
    assert {name for name in DERIVED_COLUMNS if pd.isna(row[name])} == missing


def test_records_are_read_with_these_columns(tmp_path: Path) -> None:
    rows = [round_row("load", 1, **LOAD), round_row("load", 2, **{**LOAD, "block_device_reads": None})]
    write_point(tmp_path, STEM, rows, [point_row()])
    frame = load_rounds(tmp_path)
    assert list(frame[QUEUE_DEPTH].fillna(-1)) == [1.5, -1]
    assert list(frame.columns).count(QUEUE_DEPTH) == 1
