"""The data sets: what is written is what is read, and nobody ever sees half of a file."""

from __future__ import annotations

import math
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_rows import MIB, Row, nothing_moved, point_row, round_row, timed_out

import l2sweep
from l2sweep.analysis.statistics import summarise
from l2sweep.bench.messages import RoundMeasured
from l2sweep.records import schema
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.writer import write_point

DERIVED = ("mib_per_s", "durable_mib_per_s", "keys_per_s", "latency_per_key_s")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "records.md"


def plain(value: Any) -> Any:
    """Return what pandas holds as what was written."""
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.tolist() if hasattr(value, "tolist") else value


def dtype_of(column: pa.DataType) -> str:
    """Return pandas' name for a column without missing values; empty where versions of pandas differ."""
    if pa.types.is_timestamp(column):
        return "datetime64[us, UTC]"
    return (
        ""
        if pa.types.is_string(column) or pa.types.is_list(column)
        else str(column.to_pandas_dtype().__name__)
    )


@pytest.mark.parametrize("name", ["rounds", "points"])
def test_every_column_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    large: Row = {"seed": 2**63 - 1, "lookup_max_hit_rate": 0.1}
    one_round = round_row("load", duration_s=0.7, bytes_ok=2**42, submit_latency_s=[0.1, 1e-9], **large)
    written = {"rounds": one_round, "points": point_row(**large)}[name]
    columns: pa.Schema = {"rounds": schema.ROUNDS, "points": schema.POINTS}[name]
    assert set(written) == set(columns.names)
    write_point(tmp_path, "a.00000.1", [one_round], [point_row(**large)])
    frame = {"rounds": load_rounds, "points": load_points}[name](tmp_path)
    assert [title for title in frame.columns if title not in DERIVED] == columns.names
    for column in columns:
        assert plain(frame[column.name][0]) == written[column.name], column.name
        assert str(frame[column.name].dtype).startswith(dtype_of(column.type).rstrip("_")), column.name


def test_speeds_are_derived_from_what_moved(tmp_path: Path) -> None:
    rows = [
        round_row("store", 1, duration_s=0.25),
        round_row("load", 1, status="partial", keys_ok=2, bytes_ok=MIB // 2),
        round_row("lookup", 1),
    ]
    write_point(tmp_path, "a", rows, [point_row()])
    frame = load_rounds(tmp_path)
    assert frame["mib_per_s"][0] == pytest.approx(8.0)
    assert frame["mib_per_s"][1] == pytest.approx(1.0)
    assert math.isnan(frame["mib_per_s"][2])
    assert list(frame["keys_per_s"]) == pytest.approx([32.0, 4.0, 16.0])
    assert list(frame["latency_per_key_s"]) == pytest.approx([1 / 32, 1 / 4, 1 / 16])


def test_what_timed_out_has_no_speed_and_what_failed_has_none_above_zero(tmp_path: Path) -> None:
    phases = ("store", "lookup", "load")
    rows = [*map(timed_out, phases), *map(nothing_moved, phases)]
    write_point(tmp_path, "a", rows, [point_row()])
    frame = load_rounds(tmp_path)
    assert frame.loc[:2, list(DERIVED)].isna().all(axis=None)
    failed = frame.loc[3:]
    assert list(failed["keys_per_s"]) == [0, 0, 0]
    assert list(failed["mib_per_s"].fillna(0)) == [0, 0, 0]
    assert failed["latency_per_key_s"].isna().all()


@pytest.mark.parametrize("phase", ["store", "lookup", "load"])
def test_a_rounds_speed_is_the_same_in_the_report_and_in_the_records(tmp_path: Path, phase: str) -> None:
    partial = round_row(phase, status="partial", keys_ok=1, bytes_ok=0 if phase == "lookup" else MIB // 4)
    for number, row in enumerate([round_row(phase), partial, nothing_moved(phase), timed_out(phase)]):
        write_point(tmp_path / str(number), "a", [row], [point_row()])
        recorded = load_rounds(tmp_path / str(number)).loc[0, list(DERIVED)]
        summary = summarise(phase, [row])
        reported = (
            summary.mib_per_s,
            summary.durable_mib_per_s,
            summary.ops_per_s,
            summary.latency_per_key_s,
        )
        shown = [math.nan if value is None else value for value in reported]
        assert shown == pytest.approx(list(recorded), nan_ok=True), row["status"]


def test_pandas_reads_the_folders_as_they_are(tmp_path: Path) -> None:
    write_point(tmp_path, "a", [round_row("store"), round_row("load")], [point_row()])
    assert list(pd.read_parquet(tmp_path / "rounds")["phase"]) == ["store", "load"]
    assert list(pd.read_parquet(tmp_path / "points").columns) == schema.POINTS.names


@pytest.mark.parametrize("folder", [".results", "_results"])
def test_a_results_folder_may_have_any_name(tmp_path: Path, folder: str) -> None:
    write_point(tmp_path / folder, "a", [round_row()], [point_row()])
    assert len(load_rounds(tmp_path / folder)) == 1


def test_two_sweeps_share_a_folder(tmp_path: Path) -> None:
    for sweep_id in ("monday", "tuesday"):
        for index in (0, 1):
            same = {"sweep_id": sweep_id, "point_index": index}
            stem = f"{sweep_id}.{index:05d}.1"
            write_point(tmp_path, stem, [round_row("store", 1, **same)], [point_row(**same)])
    for frame in (load_rounds(tmp_path), load_points(tmp_path), l2sweep.load_rounds(tmp_path)):
        identities = list(zip(frame["sweep_id"], frame["point_index"], strict=True))
        assert identities == [("monday", 0), ("monday", 1), ("tuesday", 0), ("tuesday", 1)]
    assert len(l2sweep.load_points(str(tmp_path))) == 4


def test_rows_come_in_the_order_in_which_they_were_run(tmp_path: Path) -> None:
    start = datetime(2026, 11, 24, tzinfo=timezone.utc)
    for number, sweep_id in enumerate(["zebra", "ape"]):
        same = {"sweep_id": sweep_id, "started_at": start + timedelta(hours=number)}
        never_run = round_row("load", 2, sweep_id=sweep_id, started_at=None, duration_s=None, status="error")
        write_point(tmp_path, sweep_id, [round_row("load", 1, **same), never_run], [point_row(**same)])
    rounds = load_rounds(tmp_path)
    assert list(zip(rounds["sweep_id"], rounds["round"], strict=True)) == [
        ("zebra", 1),
        ("zebra", 2),
        ("ape", 1),
        ("ape", 2),
    ]
    assert list(load_points(tmp_path)["sweep_id"]) == ["zebra", "ape"]


def test_a_point_written_again_replaces_its_rows(tmp_path: Path) -> None:
    write_point(tmp_path, "a", [round_row(seed=1)], [point_row(status="crashed")])
    write_point(tmp_path, "a", [round_row(seed=2)], [point_row(status="ok")])
    assert list(load_rounds(tmp_path)["seed"]) == [2]
    assert list(load_points(tmp_path)["status"]) == ["ok"]


def test_a_leftover_of_a_killed_writer_is_read_by_nobody(tmp_path: Path) -> None:
    write_point(tmp_path, "a", [round_row()], [point_row()])
    for name in ("rounds", "points"):
        whole = (tmp_path / name / "a.parquet").read_bytes()
        (tmp_path / name / ".b.4711.tmp").write_bytes(whole[: len(whole) // 2])
    assert len(load_rounds(tmp_path)) == len(load_points(tmp_path)) == 1
    assert len(pd.read_parquet(tmp_path / "rounds")) == len(pd.read_parquet(tmp_path / "points")) == 1


def test_a_reader_in_the_middle_of_a_write_sees_whole_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_point(tmp_path, "a", [round_row()], [point_row()])
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
    write_point(tmp_path, "b", [round_row()], [point_row()])
    assert seen == [1, 1, 1, 1, 2, 1, 2, 1]  # the rounds are there before their point is


@pytest.mark.parametrize(("failing_call", "left"), [(1, []), (2, ["rounds/a.parquet"])])
def test_a_failure_in_the_middle_leaves_no_half_file_and_no_point_without_rounds(
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
        write_point(tmp_path, "a", [round_row()], [point_row()])
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == left


def test_a_failed_rewrite_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_point(tmp_path, "a", [round_row()], [point_row()])

    def full_disk(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_point(tmp_path, "a", [round_row(seed=99)], [point_row()])
    assert list(load_rounds(tmp_path)["seed"]) == [7]


def test_a_point_without_rounds_is_recorded(tmp_path: Path) -> None:
    write_point(tmp_path, "a", [], [point_row(status="crashed", signal=11, exit_code=None, create_s=None)])
    (row,) = load_points(tmp_path).to_dict("records")
    assert (row["status"], row["signal"]) == ("crashed", 11)
    assert math.isnan(row["exit_code"])
    assert math.isnan(row["create_s"])


def test_the_schemas_version_stands_in_every_file(tmp_path: Path) -> None:
    write_point(tmp_path, "a", [round_row()], [point_row()])
    write_point(tmp_path, "b", [round_row()], [point_row()])
    files = sorted(tmp_path.rglob("*.parquet"))
    assert len(files) == 4
    for file in files:
        metadata = pq.read_schema(file).metadata
        assert metadata[b"l2sweep.schema_version"] == str(schema.SCHEMA_VERSION).encode()


def test_a_file_that_lacks_a_column_is_read_with_the_column_missing(tmp_path: Path) -> None:
    write_point(tmp_path, "b", [round_row()], [point_row()])
    older: Row = {name: value for name, value in round_row(sweep_id="0").items() if name != "cpu_user_s"}
    pq.write_table(pa.Table.from_pylist([older]), tmp_path / "rounds" / "a.parquet")
    frame = load_rounds(tmp_path)
    assert list(frame["cpu_user_s"].isna()) == [True, False]
    assert list(frame["mib_per_s"]) == [4.0, 4.0]


@pytest.mark.parametrize("load", [load_rounds, load_points])
def test_a_folder_without_records_is_said_by_name(tmp_path: Path, load: Any) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "nowhere")):
        load(tmp_path / "nowhere")


def test_everything_that_a_round_reports_has_a_column() -> None:
    reported = {field.name for field in fields(RoundMeasured)} - {"started_at_s"}
    assert reported | {"started_at"} <= set(schema.ROUNDS.names)


@pytest.mark.parametrize("columns", [schema.ROUNDS, schema.POINTS], ids=["rounds", "points"])
def test_every_column_is_explained(columns: pa.Schema) -> None:
    text = DOCUMENT.read_text()
    assert [name for name in columns.names if f"`{name}`" not in text] == []


def test_every_derived_column_is_explained() -> None:
    text = DOCUMENT.read_text()
    assert [name for name in DERIVED if f"`{name}`" not in text] == []
