"""Tests of reading some sweeps, one phase, some columns, and rows that meet a condition."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from sample_rows import MIB, nothing_moved, point_row, round_row, timed_out

import l2sweep
from l2sweep.errors import RequestError
from l2sweep.records.reader import points_table, rounds_table
from l2sweep.records.reading import intact
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.writer import write_point

PHASES = ("store", "lookup", "load")
SPECS = (
    {"type": "fs", "base_path": "/kv", "num_workers": 4, "use_odirect": True},
    {"type": "fs", "base_path": "/kv", "num_workers": 8, "use_odirect": False, "adapter_params": {"ms": 2}},
    {"type": "mock", "bandwidth": 1.5, "adapter_params": {"ms": 0.5}, "paths": ["/a", "/b"]},
)


@pytest.fixture(scope="module", params=["files of attempts", "compacted"])
def records(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Make records of two sweeps of three points, each with another adapter spec."""
    folder = tmp_path_factory.mktemp("records")
    for sweep_id in ("monday", "tuesday"):
        for index, spec in enumerate(SPECS):
            same = {
                "sweep_id": sweep_id,
                "point_index": index,
                "num_keys": 2 << index,
                "adapter_type": spec["type"],
                "adapter_spec": json.dumps(spec),
            }
            rounds = [round_row(phase, number, **same) for phase in PHASES for number in (1, 2)]
            write_point(folder, f"{sweep_id}.{index:05d}.1", rounds, [point_row(**same)])
        if request.param == "compacted":
            compact_sweep(folder, sweep_id)
    return folder


@pytest.fixture
def results(tmp_path: Path, records: Path) -> Path:
    """Return a copy of the records, which a test may change."""
    return Path(shutil.copytree(records, tmp_path / "results"))


def test_only_files_of_the_sweep_are_opened(results: Path) -> None:
    for file in results.glob("*/*/monday/*.parquet"):
        file.write_bytes(b"not read")
    for sweep in ("tuesday", ["tuesday"]):
        assert set(l2sweep.load_rounds(results, sweep=sweep)["sweep_id"]) == {"tuesday"}
        assert len(l2sweep.load_points(results, sweep=sweep)) == 3
    assert len(l2sweep.load_rounds(results, sweep=[])) == 0


def test_only_row_groups_of_the_phase_are_read(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = l2sweep.load_rounds(results)
    read: list[int] = []
    real = pq.ParquetFile.read_row_groups

    def noted(self: pq.ParquetFile, groups: list[int], **options: Any) -> Any:
        read.extend(self.metadata.row_group(group).num_rows for group in groups)
        return real(self, groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noted)
    for phase in PHASES:
        read.clear()
        frame = l2sweep.load_rounds(results, phase=phase)
        expected = everything[everything["phase"] == phase].reset_index(drop=True)
        pd.testing.assert_frame_equal(frame, expected, check_dtype=False)
        is_compacted = len(list(results.glob("rounds/*/monday/*"))) == 1
        assert sum(read) == (12 if is_compacted else 36)
    assert len(l2sweep.load_rounds(results, phase="erase")) == 0


CONDITIONS = (
    "num_keys == 4",
    "num_keys > 100",
    "phase == 'load' and point_index != 1",
    "sweep_id == 'tuesday' and duration_s > 0",
    "flush_s == None or flush_s > 0",
    "1 < 2",
    "mib_per_s > 0",
    "adapter.num_workers == 8",
)


@pytest.mark.parametrize("where", CONDITIONS)
@pytest.mark.parametrize("phase", [None, "load"])
def test_rows_of_a_large_file_are_filtered_while_they_are_read_and_are_the_same(
    results: Path, monkeypatch: pytest.MonkeyPatch, where: str, phase: str | None
) -> None:
    columns = ["sweep_id", "phase", "status", "num_keys", "submit_latency_s", "keys_per_s"]
    before = l2sweep.load_rounds(results, phase=phase, columns=columns, where=where)
    monkeypatch.setattr(intact, "_MANY_ROWS", 0)
    now = l2sweep.load_rounds(results, phase=phase, columns=columns, where=where)
    pd.testing.assert_frame_equal(now, before)


def test_a_row_group_without_a_row_that_meets_the_condition_is_not_read_further(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intact, "_MANY_ROWS", 0)
    read: list[str] = []
    real = pq.ParquetFile.read_row_groups

    def noted(self: pq.ParquetFile, groups: list[int], *, columns: list[str], **options: Any) -> Any:
        read.extend(columns if groups else ())
        return real(self, groups, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noted)
    is_compacted = len(list(results.glob("rounds/*/monday/*"))) == 1
    columns = ["phase", "duration_s"]
    found = l2sweep.load_rounds(results, columns=columns, where="phase == 'load' and sweep_id == 'monday'")
    assert len(found) == 6
    assert read.count("duration_s") == (1 if is_compacted else 3)
    assert read.count("phase") > read.count("duration_s")
    points = l2sweep.load_points(results, columns=["num_keys"], where="status == 'ok' and num_keys == 2")
    assert len(points) == 2


def test_the_status_of_a_point_is_known_before_its_row_is_filtered(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intact, "_MANY_ROWS", 0)
    for file in results.glob("rounds/*/monday/*.parquet"):
        file.write_bytes(b"damaged")
    with pytest.warns(l2sweep.UnreadableRecordsWarning):
        found = l2sweep.load_points(results, columns=["sweep_id"], where="status == 'unreadable'")
    assert found["sweep_id"].tolist() == ["monday"] * 3


def test_only_the_columns_are_read_and_returned_in_their_order(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = l2sweep.load_rounds(results)
    read: set[str] = set()
    real = pq.ParquetFile.read_row_groups

    def noted(self: pq.ParquetFile, groups: list[int], *, columns: list[str], **options: Any) -> Any:
        read.update(columns)
        return real(self, groups, columns=columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noted)
    columns = ["mib_per_s", "phase", "adapter.num_workers"]
    frame = l2sweep.load_rounds(results, columns=columns)
    assert list(frame.columns) == columns
    pd.testing.assert_frame_equal(frame, everything[columns])
    needed = {"bytes_ok", "duration_s", "phase", "adapter_spec"}
    assert read == needed | {"sweep_id", "point_index", "attempt", "started_at"}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("adapter.num_workers", [4.0, 8.0, None]),
        ("adapter.use_odirect", [True, False, None]),
        ("adapter.type", ["fs", "fs", "mock"]),
        ("adapter.adapter_params.ms", [None, 2.0, 0.5]),
        ("adapter.bandwidth", [None, None, 1.5]),
        ("adapter.paths", [None, None, '["/a", "/b"]']),
    ],
)
def test_fields_of_the_spec_are_columns(results: Path, column: str, expected: list[Any]) -> None:
    for frame in (
        l2sweep.load_points(results, sweep="monday"),
        l2sweep.load_points(results, sweep="monday", columns=[column]),
    ):
        found = [None if pd.isna(value) else value for value in frame[column]]
        assert found == expected
        assert [type(value) for value in found] == [type(value) for value in expected]
    (table,) = {points_table(results, sweep="monday", columns=[column])[column].type}
    assert str(table) != "null"


CONDITIONS = [
    ("num_keys == 4", lambda rows: rows["num_keys"] == 4),
    (
        "num_keys * in_flight > 8 and phase in ['load', 'store']",
        lambda rows: (rows["num_keys"] * rows["in_flight"] > 8) & (rows["phase"] != "lookup"),
    ),
    ("adapter.num_workers >= 8", lambda rows: rows["adapter.num_workers"] >= 8),
    ("adapter.adapter_params.ms < 1", lambda rows: rows["adapter.adapter_params.ms"] < 1),
    ("'num_workers' in adapter", lambda rows: rows["adapter.num_workers"].notna()),
    ("mib_per_s > 1", lambda rows: rows["mib_per_s"] > 1),
    ("not (mib_per_s > 1)", lambda rows: rows["mib_per_s"] <= 1),
    ("cache_state == None", lambda rows: rows["cache_state"].isna()),
    ("0.25 in submit_latency_s", lambda rows: rows["submit_latency_s"].map(lambda own: 0.25 in list(own))),
    (
        "sweep_id == 'monday' or point_index == 2",
        lambda rows: (rows["sweep_id"] == "monday") | (rows["point_index"] == 2),
    ),
    ("1 == 1", lambda rows: rows["num_keys"] > 0),
    ("1 == 2", lambda rows: rows["num_keys"] < 0),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=[one for one, _ in CONDITIONS])
def test_rows_that_meet_a_condition(results: Path, condition: str, expected: Any) -> None:
    rows = l2sweep.load_rounds(results)
    of_rows = rows[expected(rows)].reset_index(drop=True)
    found = l2sweep.load_rounds(results, where=condition)
    pd.testing.assert_frame_equal(found, of_rows, check_dtype=False)


def test_a_condition_is_evaluated_once_for_each_combination_of_values(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from l2sweep.analysis.constraints import Constraint

    calls = 0
    real = Constraint.holds

    def counted(self: Constraint, fields: Any) -> bool:
        nonlocal calls
        calls += 1
        return real(self, fields)

    monkeypatch.setattr(Constraint, "holds", counted)
    assert len(l2sweep.load_rounds(results, where="num_keys > 2 and phase == 'load'")) == 8
    assert calls == 9  # three numbers of keys in three phases, of 36 rows


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (
            {"columns": ["duration"]},
            "columns=duration: rounds have no column duration; did you mean duration_s?",
        ),
        (
            {"where": "num_key > 1"},
            "where=num_key > 1: rounds have no column num_key; did you mean num_keys?",
        ),
        (
            {"where": "adapter.num_worker > 1"},
            "no adapter of these rounds has this field; did you mean adapter.num_workers?",
        ),
        ({"columns": ["adapter.colour"]}, "adapter.colour: no adapter of these rounds has this field"),
        ({"columns": ["adapter.adapter_params"]}, "adapter.adapter_params: no adapter of these rounds has"),
        ({"where": "phase > 1"}, "where='phase > 1': phase > 1: needs numbers, and store is a text"),
        ({"where": "phase ="}, "where='phase =' cannot be read"),
        ({"where": "__import__('os')"}, "is not allowed"),
        ({"sweep": "wednesday"}, "has no such sweep"),
    ],
)
def test_a_wrong_query_is_one_line_with_a_suggestion(results: Path, query: Any, problem: str) -> None:
    with pytest.raises(RequestError) as raised:
        l2sweep.load_rounds(results, **query)
    assert problem in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_derived_columns_of_an_arrow_table_are_those_of_the_data_frame(tmp_path: Path) -> None:
    rows = [
        *(round_row(phase, 1) for phase in PHASES),
        *(timed_out(phase, 2) for phase in PHASES),
        *(nothing_moved(phase, 3) for phase in PHASES),
        round_row("load", 4, duration_s=0.25, bytes_ok=MIB),
    ]
    write_point(tmp_path, "one.00000.1", [{**row, "sweep_id": "one"} for row in rows], [])
    frame, table = l2sweep.load_rounds(tmp_path), rounds_table(tmp_path)
    for name in ("mib_per_s", "mib_per_s_elapsed", "durable_mib_per_s", "keys_per_s", "latency_per_key_s"):
        shown = [math.nan if value is None else value for value in table[name].to_pylist()]
        assert shown == pytest.approx(list(frame[name]), nan_ok=True)
    assert frame["mib_per_s"].tolist()[-1] == 4.0


def test_a_command_reads_rows_without_pandas(results: Path) -> None:
    code = f"""
import sys
from l2sweep.records.reading.without_pandas import keep_pandas_out
keep_pandas_out()
from l2sweep.records.reader import load_rounds, rounds_table
from l2sweep.records.selectors import select
from l2sweep.records.sweeps import list_sweeps
folder = {str(results)!r}
assert len(list_sweeps(folder)) == 2
table = rounds_table(folder, sweep="latest", where="adapter.num_workers == 4", columns=["mib_per_s"])
assert table.num_rows == 6, table
assert "pandas" not in sys.modules
frame = load_rounds(folder)  # still possible
import pandas as pd, pyarrow as pa
assert pa.table({{"a": pd.Series([1, None])}})["a"].null_count == 1
print(len(frame))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False, timeout=60
    )
    assert done.stdout.strip() == "36", done.stderr
