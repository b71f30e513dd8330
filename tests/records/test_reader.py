"""Tests of l2sweep.records.reader: derived columns, order, and files of earlier schema versions."""

from __future__ import annotations

import math
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_rows import (
    DATE,
    MIB,
    OTHER_STEM,
    RECORD,
    STEM,
    Row,
    nothing_moved,
    point_row,
    round_row,
    timed_out,
)

import l2sweep
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.statistics import summarise
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.schema import POINTS, RENAMED_COLUMNS
from l2sweep.records.writer import write_point

ADDED_AFTER_VERSION_1 = (
    *("repeat", "model", "isolation", "cache_mode", "cache_method", "cache_state", "drop_s"),
    *("device_read_fraction", "block_device_read_bytes", *RENAMED_COLUMNS.values()),
)
SPEC_FIELDS = ("adapter.type", "adapter.base_path")
OF_COMPLETED_ROUNDS = ("mib_per_s", "durable_mib_per_s", "keys_per_s", "latency_per_key_s")


def test_throughput_is_derived_from_the_bytes_that_moved(tmp_path: Path) -> None:
    rows = [
        round_row("store", 1, duration_s=0.25),
        round_row("load", 1, status="partial", keys_ok=2, bytes_ok=MIB // 2),
        round_row("lookup", 1),
    ]
    write_point(tmp_path, STEM, rows, [point_row()])
    frame = load_rounds(tmp_path)
    assert frame["mib_per_s"][0] == pytest.approx(8.0)
    assert frame["mib_per_s"][1] == pytest.approx(1.0)
    assert math.isnan(frame["mib_per_s"][2])
    assert list(frame["keys_per_s"]) == pytest.approx([32.0, 4.0, 16.0])
    assert list(frame["latency_per_key_s"]) == pytest.approx([1 / 32, 1 / 4, 1 / 16])


def test_a_timed_out_round_has_no_throughput_and_a_failed_one_has_zero(tmp_path: Path) -> None:
    phases = ("store", "lookup", "load")
    rows = [*map(timed_out, phases), *map(nothing_moved, phases)]
    write_point(tmp_path, STEM, rows, [point_row()])
    frame = load_rounds(tmp_path)
    assert frame.loc[:2, list(OF_COMPLETED_ROUNDS)].isna().all(axis=None)
    failed = frame.loc[3:]
    assert list(failed["keys_per_s"]) == [0, 0, 0]
    assert list(failed["mib_per_s"].fillna(0)) == [0, 0, 0]
    assert failed["latency_per_key_s"].isna().all()


def test_a_round_that_timed_out_has_a_throughput_over_elapsed_time(tmp_path: Path) -> None:
    rows = [timed_out("load", 1, elapsed_s=4.0), timed_out("load", 2, elapsed_s=None), round_row("load", 3)]
    write_point(tmp_path, STEM, [*rows, timed_out("lookup")], [point_row()])
    shown = list(load_rounds(tmp_path)["mib_per_s_elapsed"])
    assert shown == pytest.approx([0.25, math.nan, 4.0, math.nan], nan_ok=True)


def test_a_store_that_is_not_ok_has_no_durable_throughput(tmp_path: Path) -> None:
    rows = [round_row("store", 1), round_row("store", 2, status="error", dirty_after_flush_bytes=4096)]
    write_point(tmp_path, STEM, rows, [point_row()])
    frame = load_rounds(tmp_path)
    assert list(frame["durable_mib_per_s"]) == pytest.approx([2.0, 0.0])
    assert list(frame["mib_per_s"]) == pytest.approx([4.0, 4.0])


@pytest.mark.parametrize("phase", ["store", "lookup", "load"])
def test_records_and_report_have_the_same_throughput(tmp_path: Path, phase: str) -> None:
    partial = round_row(phase, status="partial", keys_ok=1, bytes_ok=0 if phase == "lookup" else MIB // 4)
    for number, row in enumerate([round_row(phase), partial, nothing_moved(phase), timed_out(phase)]):
        write_point(tmp_path / str(number), STEM, [row], [point_row()])
        recorded = load_rounds(tmp_path / str(number)).loc[0, [*OF_COMPLETED_ROUNDS, "mib_per_s_elapsed"]]
        summary = summarise(phase, [row])
        reported = (
            summary.mib_per_s,
            summary.durable_mib_per_s,
            summary.keys_per_s,
            summary.latency_per_key_s,
            summary.mib_per_s_elapsed,
        )
        shown = [math.nan if value is None else value for value in reported]
        assert shown == pytest.approx(list(recorded), nan_ok=True), row["status"]


@pytest.mark.parametrize("folder", [".results", "_results"])
def test_a_results_folder_may_have_any_name(tmp_path: Path, folder: str) -> None:
    write_point(tmp_path / folder, STEM, [round_row()], [point_row()])
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


def test_rows_are_in_the_order_in_which_they_were_run(tmp_path: Path) -> None:
    start = datetime(2026, 11, 24, tzinfo=UTC)
    for number, sweep_id in enumerate(["zebra", "ape"]):
        same = {"sweep_id": sweep_id, "started_at": start + timedelta(hours=number)}
        never_run = round_row("load", 2, sweep_id=sweep_id, started_at=None, duration_s=None, status="error")
        write_point(
            tmp_path, f"{sweep_id}.00000.1", [round_row("load", 1, **same), never_run], [point_row(**same)]
        )
    rounds = load_rounds(tmp_path)
    assert list(zip(rounds["sweep_id"], rounds["round"], strict=True)) == [
        ("zebra", 1),
        ("zebra", 2),
        ("ape", 1),
        ("ape", 2),
    ]
    assert list(load_points(tmp_path)["sweep_id"]) == ["zebra", "ape"]


def test_the_temporary_file_of_a_killed_writer_is_not_read(tmp_path: Path) -> None:
    write_point(tmp_path, STEM, [round_row()], [point_row()])
    for name in ("rounds", "points"):
        whole = (tmp_path / name / RECORD).read_bytes()
        (tmp_path / name / RECORD).with_name(".b.4711.tmp").write_bytes(whole[: len(whole) // 2])
    assert len(load_rounds(tmp_path)) == len(load_points(tmp_path)) == 1
    assert len(pd.read_parquet(tmp_path / "rounds")) == len(pd.read_parquet(tmp_path / "points")) == 1


def test_a_column_that_an_old_file_does_not_have_is_missing(tmp_path: Path) -> None:
    write_point(tmp_path, OTHER_STEM, [round_row()], [point_row()])
    older: Row = {name: value for name, value in round_row(sweep_id="0").items() if name != "cpu_user_s"}
    pq.write_table(pa.Table.from_pylist([older]), tmp_path / "rounds" / "0.00000.1.parquet")
    frame = load_rounds(tmp_path)
    assert list(frame["cpu_user_s"].isna()) == [True, False]
    assert list(frame["mib_per_s"]) == [4.0, 4.0]


@pytest.mark.parametrize("load", [load_rounds, load_points])
def test_a_folder_without_records_is_an_error_that_names_it(tmp_path: Path, load: Any) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "nowhere")):
        load(tmp_path / "nowhere")


def write_old_point(folder: Path, **changes: Any) -> Row:
    """Write a point with the column names of schema version 2."""
    names = {new: old for old, new in RENAMED_COLUMNS.items()}
    row = {names.get(name, name): value for name, value in point_row(**changes).items()}
    columns = pa.schema([field.with_name(names.get(field.name, field.name)) for field in POINTS])
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([row], schema=columns), folder / f"{row['sweep_id']}.00000.1.parquet")
    return row


def test_renamed_columns_of_old_files_have_their_new_names(tmp_path: Path) -> None:
    row = write_old_point(tmp_path / "points")
    frame = load_points(tmp_path)
    assert list(frame.columns) == [*POINTS.names, FLEET_HOST, *SPEC_FIELDS]
    for old, new in RENAMED_COLUMNS.items():
        assert list(frame[new]) == [row[old]]


@pytest.mark.parametrize("old_id", ["a", "z"])  # sorted before or after the new file
def test_a_folder_with_old_and_new_files_is_read(tmp_path: Path, old_id: str) -> None:
    write_old_point(tmp_path / "points", sweep_id=old_id, adapter_create_s=0.25, dirty_after_fraction=None)
    new = {"sweep_id": "m", "adapter_create_s": 0.5, "dirty_after_fraction": 0.125}
    write_point(tmp_path, "m.00000.1", [], [point_row(**new)])
    frame = load_points(tmp_path).set_index("sweep_id")
    assert frame["adapter_create_s"].to_dict() == {old_id: 0.25, "m": 0.5}
    assert math.isnan(frame["dirty_after_fraction"][old_id])
    assert frame["dirty_after_fraction"]["m"] == 0.125
    assert not set(RENAMED_COLUMNS) & set(frame.columns)


def test_points_of_version_1_are_read_without_the_columns_added_later(tmp_path: Path) -> None:
    row = {name: value for name, value in point_row().items() if name not in ADDED_AFTER_VERSION_1}
    (tmp_path / "points").mkdir()
    file = tmp_path / "points" / f"{STEM}.parquet"
    pq.write_table(pa.Table.from_pylist([{**row, "create_s": 0.25}]), file)
    frame = load_points(tmp_path)
    assert list(frame.columns) == [*POINTS.names, FLEET_HOST, *SPEC_FIELDS]
    assert list(frame["adapter_create_s"]) == [0.25]
    missing = set(ADDED_AFTER_VERSION_1) - {"adapter_create_s"}
    assert frame[sorted(missing)].isna().all(axis=None)


@pytest.fixture
def three_points(tmp_path: Path) -> Path:
    for index in range(3):
        same = {"sweep_id": "mine", "point_index": index}
        write_point(tmp_path, f"mine.{index:05d}.1", [round_row("store", 1, **same)], [point_row(**same)])
    return tmp_path


def test_rows_of_whole_files_are_returned_and_the_others_are_named_once(three_points: Path) -> None:
    file = three_points / "rounds" / DATE / "mine" / "mine.00001.1.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.warns(l2sweep.UnreadableRecordsWarning) as warned:
        assert list(load_rounds(three_points)["point_index"]) == [0, 2]
    (warning,) = warned
    assert str(warning.message) == (
        f"1 file in {three_points} cannot be read: "
        f"rounds/{DATE}/mine/mine.00001.1.parquet (it is truncated, or not Parquet)"
    )
    with pytest.warns(l2sweep.UnreadableRecordsWarning, match=f"rounds/{DATE}/mine/mine.00001.1.parquet"):
        points = load_points(three_points)
    assert list(points["status"]) == ["ok", "unreadable", "ok"]
    assert points["detail"][1] == "its rounds cannot be read: it is truncated, or not Parquet"
    assert list(points.columns) == [*POINTS.names, FLEET_HOST, *SPEC_FIELDS]


def test_rows_with_a_sweep_id_that_is_a_path_are_not_returned(three_points: Path) -> None:
    row = point_row(sweep_id="../../precious", status="failed")
    write_point(three_points, "evil.00000.1", [], [row])
    with pytest.warns(l2sweep.UnreadableRecordsWarning, match=r"evil.00000.1.parquet \(.* is not a sweep_id"):
        assert set(load_points(three_points)["sweep_id"]) == {"mine"}


def test_a_fifo_with_the_name_of_a_record_does_not_block(three_points: Path) -> None:
    os.mkfifo(three_points / "rounds" / DATE / "mine" / "mine.00003.1.parquet")
    with pytest.warns(l2sweep.UnreadableRecordsWarning, match="it is not a regular file"):
        assert len(load_rounds(three_points)) == 3


def test_a_merged_copy_is_ignored_and_named_and_other_files_are_ignored(
    three_points: Path, recwarn: pytest.WarningsRecorder
) -> None:
    for name in ("README.txt", ".hidden.parquet", "_metadata.parquet"):
        (three_points / "points" / name).write_text("no record")
    assert len(load_points(three_points)) == 3
    assert not recwarn.list
    whole = (three_points / "points" / DATE / "mine" / "mine.00000.1.parquet").read_bytes()
    (three_points / "points" / "all.parquet").write_bytes(whole)
    with pytest.warns(l2sweep.UnreadableRecordsWarning, match="ignored.*: points/all.parquet"):
        assert len(load_points(three_points)) == 3
