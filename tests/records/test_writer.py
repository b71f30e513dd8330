"""Tests of l2sweep.records.writer: what is written is read again, and readers never see incomplete files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_rows import DATE, OTHER_STEM, RECORD, STEM, SWEEP_ID, Row, auto_point_row, point_row, round_row

from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.tune.device import DERIVED_COLUMNS
from l2sweep.records import schema
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.writer import write_point

DERIVED = (
    *("mib_per_s", "mib_per_s_elapsed", "durable_mib_per_s", "keys_per_s", "latency_per_key_s"),
    *DERIVED_COLUMNS,
    FLEET_HOST,
)


def plain(value: Any) -> Any:
    """Convert a value of pandas to the type that was written."""
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.tolist() if hasattr(value, "tolist") else value


def dtype_of(column: pa.DataType) -> str:
    """Return the dtype of a column without missing values; empty if versions of pandas differ."""
    if pa.types.is_timestamp(column):
        return "datetime64[us, UTC]"
    return (
        ""
        if pa.types.is_string(column) or pa.types.is_list(column)
        else str(column.to_pandas_dtype().__name__)
    )


@pytest.mark.parametrize("name", ["rounds", "points"])
def test_every_column_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    large: Row = {
        "seed": 2**63 - 1,
        "lookup_max_hit_rate": 0.1,
        "profile": "flamegraph:wall",
        "release": "0.5.3",
        "trace": "a.jsonl 0123456789ab",
        "trace_speed": 1.5,
        "fleet": True,
    }
    one_round = round_row(
        "load",
        second=3,
        late_s=[0.0, 1e-9],
        duration_s=0.7,
        bytes_ok=2**42,
        submit_latency_s=[0.1, 1e-9],
        false_hits=1,
        false_misses=2,
        lookup_answered_by="index",
        stored_bytes=2**41,
        evicted_keys=2**41,
        loaded_from=[2**41, 0],
        beside_fraction=0.75,
        **large,
    )
    written = {"rounds": one_round, "points": auto_point_row(**large)}[name]
    columns: pa.Schema = {"rounds": schema.ROUNDS, "points": schema.POINTS}[name]
    assert set(written) == set(columns.names)
    write_point(tmp_path, STEM, [one_round], [auto_point_row(**large)])
    frame = {"rounds": load_rounds, "points": load_points}[name](tmp_path)
    stored = [title for title in frame.columns if title not in DERIVED]
    assert stored == [*columns.names, "adapter.type", "adapter.base_path"]
    for column in columns:
        assert plain(frame[column.name][0]) == written[column.name], column.name
        assert str(frame[column.name].dtype).startswith(dtype_of(column.type).rstrip("_")), column.name


@pytest.mark.parametrize(
    "text", ["", "two\nlines", 'quotes " and \\ backslashes', "tab\tnul\0", "däta 漢字 🚀"]
)
def test_any_text_is_read_as_it_was_written(tmp_path: Path, text: str) -> None:
    write_point(tmp_path, STEM, [round_row(detail=text)], [point_row(overrides=[text, text])])
    assert load_rounds(tmp_path)["detail"][0] == text
    assert list(load_points(tmp_path)["overrides"][0]) == [text, text]


def test_missing_values_are_read_as_missing(tmp_path: Path) -> None:
    names = ("started_at", "duration_s", "device_read_bytes", "flush_s", "cache_state", "model")
    write_point(tmp_path, STEM, [round_row(**dict.fromkeys(names))], [point_row(effective_odirect=None)])
    assert load_rounds(tmp_path)[list(names)].isna().all(axis=None)
    assert load_points(tmp_path)["effective_odirect"].isna().all()


def test_pandas_reads_the_data_sets_directly(tmp_path: Path) -> None:
    write_point(tmp_path, STEM, [round_row("store"), round_row("load")], [point_row()])
    assert list(pd.read_parquet(tmp_path / "rounds")["phase"]) == ["store", "load"]
    assert list(pd.read_parquet(tmp_path / "points").columns) == [*schema.POINTS.names, "date"]
    of_sweep = pd.read_parquet(tmp_path / "points" / DATE / SWEEP_ID)
    assert list(of_sweep.columns) == schema.POINTS.names


def test_writing_a_point_again_replaces_its_rows(tmp_path: Path) -> None:
    write_point(tmp_path, STEM, [round_row(seed=1)], [point_row(status="crashed")])
    write_point(tmp_path, STEM, [round_row(seed=2)], [point_row(status="ok")])
    assert list(load_rounds(tmp_path)["seed"]) == [2]
    assert list(load_points(tmp_path)["status"]) == ["ok"]


def test_a_reader_during_a_write_sees_only_complete_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_point(tmp_path, STEM, [round_row()], [point_row()])
    seen: list[int] = []
    write_table = pq.write_table

    def slowly(table: pa.Table, file: Any, **options: Any) -> None:
        file.write(b"PAR1 half of a file")
        file.flush()
        seen.extend(len(pd.read_parquet(tmp_path / name)) for name in ("rounds", "points"))
        seen.extend((len(load_rounds(tmp_path)), len(load_points(tmp_path))))
        file.seek(0)
        file.truncate()
        write_table(table, file, **options)

    monkeypatch.setattr(pq, "write_table", slowly)
    write_point(tmp_path, OTHER_STEM, [round_row()], [point_row()])
    assert seen == [1, 1, 1, 1, 2, 1, 2, 1]  # the rounds are written before the point


@pytest.mark.parametrize(("failing_call", "left"), [(1, []), (2, [f"rounds/{RECORD}"])])
def test_a_failed_write_leaves_no_incomplete_file_and_no_point_without_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_call: int, left: list[str]
) -> None:
    calls = 0
    write_table = pq.write_table

    def full_disk(table: pa.Table, file: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == failing_call:
            file.write(b"PAR1 half of a file")
            raise OSError(28, "No space left on device")
        write_table(table, file, **options)

    monkeypatch.setattr(pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_point(tmp_path, STEM, [round_row()], [point_row()])
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == left


def test_a_failed_rewrite_keeps_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_point(tmp_path, STEM, [round_row()], [point_row()])

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_point(tmp_path, STEM, [round_row(seed=99)], [point_row()])
    assert list(load_rounds(tmp_path)["seed"]) == [7]


def test_a_point_without_rounds_is_written(tmp_path: Path) -> None:
    write_point(
        tmp_path,
        STEM,
        [],
        [point_row(status="crashed", signal=11, exit_code=None, adapter_create_s=None)],
    )
    (row,) = load_points(tmp_path).to_dict("records")
    assert (row["status"], row["signal"]) == ("crashed", 11)
    assert math.isnan(row["exit_code"])
    assert math.isnan(row["adapter_create_s"])


def test_every_file_contains_the_schema_version(tmp_path: Path) -> None:
    write_point(tmp_path, STEM, [round_row()], [point_row()])
    write_point(tmp_path, OTHER_STEM, [round_row()], [point_row()])
    files = sorted(tmp_path.rglob("*.parquet"))
    assert len(files) == 4
    for file in files:
        metadata = pq.read_schema(file).metadata
        assert metadata[b"l2sweep.schema_version"] == str(schema.SCHEMA_VERSION).encode()
