"""Tests of l2sweep.records.storage: compaction of the records of a sweep."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from record_files import damage_a_page, truncate
from sample_rows import DATE, point_row, round_row

import l2sweep
from l2sweep.records import schema
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.reading.presence import Recorded, lost_records
from l2sweep.records.storage import compacted_file, compaction
from l2sweep.records.storage.compaction import NotCompactedError, compact_sweep, unfinished
from l2sweep.records.storage.stored_sweep import why_never_removed
from l2sweep.records.writer import write_point

PHASES = ("store", "lookup", "load")


def write_attempt(results_dir: Path, index: int, attempt: int = 1, status: str = "ok") -> None:
    """Write an attempt with two rounds in each phase."""
    same = {"sweep_id": "mine", "point_index": index, "attempt": attempt}
    rounds = [round_row(phase, number, **same) for phase in PHASES for number in (1, 2)]
    write_point(results_dir, f"mine.{index:05d}.{attempt}", rounds, [point_row(**same, status=status)])


def write_sweep(results_dir: Path, points: int = 4) -> None:
    (results_dir / "sweeps" / "mine").mkdir(parents=True)
    for index in range(points):
        write_attempt(results_dir, index)


def flatten(results_dir: Path) -> None:
    """Move the files to where the first releases wrote them."""
    for file in list(results_dir.glob(f"*/{DATE}/mine/*.parquet")):
        file.rename(file.parents[2] / file.name)
    for folder in results_dir.glob(f"*/{DATE}"):
        shutil.rmtree(folder)


def undate(results_dir: Path) -> None:
    """Move the folders of the sweep to where earlier releases wrote them."""
    for folder in list(results_dir.glob(f"*/{DATE}/mine")):
        folder.rename(folder.parents[1] / "mine")
        folder.parent.rmdir()


PLACES = {"of a date": lambda results_dir: None, "beside": flatten, "without a date": undate}


def files(results_dir: Path) -> list[str]:
    return sorted(str(file.relative_to(results_dir)) for file in results_dir.rglob("*.parquet"))


def both(results_dir: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return l2sweep.load_rounds(results_dir), l2sweep.load_points(results_dir)


def assert_same(results_dir: Path, before: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    for now, was in zip(both(results_dir), before, strict=True):
        pd.testing.assert_frame_equal(now, was)


@pytest.mark.parametrize("place", PLACES)
def test_a_sweep_becomes_one_file_in_each_data_set_with_the_same_rows(tmp_path: Path, place: str) -> None:
    write_sweep(tmp_path)
    before = both(tmp_path)
    PLACES[place](tmp_path)
    assert_same(tmp_path, before)
    assert compact_sweep(tmp_path, "mine").files_before == 8
    assert files(tmp_path) == [f"points/{DATE}/mine/mine.parquet", f"rounds/{DATE}/mine/mine.parquet"]
    assert_same(tmp_path, before)
    assert not list(tmp_path.glob("sweeps/mine/*"))
    assert compact_sweep(tmp_path, "mine").files_before == 0


def test_plain_readers_read_a_compacted_folder_right(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    rounds = str(tmp_path / "rounds")
    before = sorted(pd.read_parquet(rounds)["point_index"])
    compact_sweep(tmp_path, "mine")
    plain = pd.read_parquet(rounds)
    assert sorted(plain["point_index"]) == before
    assert list(plain.columns) == [*schema.ROUNDS.names, "date"]
    assert isinstance(plain["status"].dtype, type(pd.Series(["a"]).dtype))  # no categories
    glob = f"{rounds}/**/*.parquet"
    query = f"select point_index from read_parquet('{glob}', union_by_name=true)"
    assert sorted(value for (value,) in duckdb.sql(query).fetchall()) == before
    assert sorted(pl.scan_parquet(glob).select("point_index").collect()["point_index"]) == before


def test_row_groups_separate_the_phases_and_the_file_says_its_schema_version(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    compact_sweep(tmp_path, "mine")
    file = pq.ParquetFile(tmp_path / "rounds" / DATE / "mine" / "mine.parquet")
    found = [set(file.read_row_group(group)["phase"].to_pylist()) for group in range(file.num_row_groups)]
    assert found == [{phase} for phase in PHASES]
    version = str(schema.SCHEMA_VERSION).encode()
    assert file.schema_arrow.metadata[b"l2sweep.schema_version"] == version
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_equal_points_are_beside_each_other_if_a_phase_has_several_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    for index in range(8):  # two hosts, each with the points d, c, b and a
        same = {"sweep_id": "mine", "point_index": index, "point_id": "dcba"[index % 4]}
        rounds = [round_row(phase, number, **same) for phase in PHASES for number in (1, 2)]
        write_point(tmp_path, f"mine.{index:05d}.1", rounds, [point_row(**same)])
    before = both(tmp_path)
    monkeypatch.setattr(compacted_file, "_ROWS_PER_GROUP", 4)
    compact_sweep(tmp_path, "mine")
    file = pq.ParquetFile(tmp_path / "rounds" / DATE / "mine" / "mine.parquet")
    groups = [file.read_row_group(number).to_pydict() for number in range(file.num_row_groups)]
    assert [set(group["point_id"]) for group in groups] == [{"a"}, {"b"}, {"c"}, {"d"}] * len(PHASES)
    assert groups[0]["point_index"] == [3, 3, 7, 7]
    assert_same(tmp_path, before)


def test_a_resumed_sweep_is_compacted_again_under_another_name(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    write_attempt(tmp_path, 4, status="crashed")
    compact_sweep(tmp_path, "mine")
    assert last_attempts(str(tmp_path), "mine")[4] == (1, "crashed")
    write_attempt(tmp_path, 4, attempt=2)
    before = both(tmp_path)
    assert last_attempts(str(tmp_path), "mine", reads_rounds=True) == {
        **dict.fromkeys(range(4), (1, "ok")),
        4: (2, "ok"),
    }
    assert compact_sweep(tmp_path, "mine").files_before == 4
    assert files(tmp_path) == [f"points/{DATE}/mine/mine.2.parquet", f"rounds/{DATE}/mine/mine.2.parquet"]
    assert_same(tmp_path, before)


@pytest.mark.parametrize("spoil", [truncate, damage_a_page])
@pytest.mark.parametrize("data_set", ["rounds", "points"])
def test_damaged_files_stay_as_they_are_and_are_named(tmp_path: Path, spoil: Any, data_set: str) -> None:
    write_sweep(tmp_path)
    file = tmp_path / data_set / DATE / "mine" / "mine.00001.1.parquet"
    spoil(file)
    content = file.read_bytes()
    compacted = compact_sweep(tmp_path, "mine")
    assert list(compacted.damaged) == [file]
    assert file.read_bytes() == content
    assert file.parent.joinpath("mine.parquet").exists()
    with pytest.warns(l2sweep.UnreadableRecordsWarning, match=r"mine.00001.1.parquet"):
        ended = last_attempts(str(tmp_path), "mine", reads_rounds=True)
    assert ended == {index: (1, "unreadable" if index == 1 else "ok") for index in range(4)}


def test_a_damaged_compacted_file_makes_its_points_unreadable(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    compact_sweep(tmp_path, "mine")
    truncate(tmp_path / "rounds" / DATE / "mine" / "mine.parquet")
    with pytest.warns(l2sweep.UnreadableRecordsWarning, match=rf"rounds/{DATE}/mine/mine.parquet"):
        assert set(l2sweep.load_points(tmp_path)["status"]) == {"unreadable"}
    with pytest.warns(l2sweep.UnreadableRecordsWarning):
        assert set(last_attempts(str(tmp_path), "mine").values()) == {(1, "unreadable")}
    truncate(tmp_path / "points" / DATE / "mine" / "mine.parquet")
    lost = lost_records([Recorded(tmp_path, "mine", index, 1, 6, 1) for index in range(4)])
    assert set(lost) == {0, 1, 2, 3}
    assert f"rounds/{DATE}/mine/mine.parquet (it is truncated" in lost[0]


def test_rows_that_a_compacted_file_lacks_are_lost(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    compact_sweep(tmp_path, "mine")
    assert lost_records([Recorded(tmp_path, "mine", index, 1, 6, 1) for index in range(4)]) == {}
    lost = lost_records([Recorded(tmp_path, "mine", 0, 1, 7, 1), Recorded(tmp_path, "mine", 9, 1, 6, 1)])
    assert "it has 6 of 7 rows of point 0" in lost[0]
    assert "mine.00009.1.parquet (No such file" in lost[9]


def test_a_copy_with_old_and_new_files_is_read_once_and_the_old_ones_are_named(tmp_path: Path) -> None:
    write_sweep(tmp_path / "old")
    shutil.copytree(tmp_path / "old", tmp_path / "copy")
    before = both(tmp_path / "old")
    compact_sweep(tmp_path / "old", "mine")
    shutil.copytree(tmp_path / "old", tmp_path / "copy", dirs_exist_ok=True)
    with pytest.warns(l2sweep.UnreadableRecordsWarning, match=r"4 files .* a compacted file replaces"):
        assert_same(tmp_path / "copy", before)
    compact_sweep(tmp_path / "copy", "mine")
    assert_same(tmp_path / "copy", before)


@pytest.mark.parametrize(
    "linked",
    [f"rounds/{DATE}", f"rounds/{DATE}/mine", "sweeps/mine", f"rounds/{DATE}/mine/mine.00001.1.parquet"],
)
def test_nothing_behind_a_link_is_compacted(tmp_path: Path, linked: str) -> None:
    results = tmp_path / "results"
    write_sweep(results)
    (results / linked).rename(tmp_path / "elsewhere")
    (results / linked).symlink_to(tmp_path / "elsewhere")
    before = files(tmp_path)
    with pytest.raises(NotCompactedError, match=r"is not a folder|is a symbolic link"):
        compact_sweep(results, "mine")
    assert files(tmp_path) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize(
    "name", [f"rounds/{DATE}", f"rounds/{DATE}/mine", f"points/{DATE}/mine/mine.00001.1.parquet"]
)
def test_files_of_another_user_are_not_compacted(tmp_path: Path, name: str) -> None:
    write_sweep(tmp_path)
    os.chown(tmp_path / name, 65534, 65534)
    assert "belongs to user 65534" in why_never_removed(tmp_path, "mine")
    before = files(tmp_path)
    with pytest.raises(NotCompactedError, match="belongs to user 65534"):
        compact_sweep(tmp_path, "mine")
    assert files(tmp_path) == before


def test_a_file_with_a_column_of_a_later_release_is_not_compacted(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    file = tmp_path / "rounds" / DATE / "mine" / "mine.00001.1.parquet"
    table = pq.read_table(file)
    pq.write_table(table.append_column("energy_j", table["duration_s"]), file)
    with pytest.raises(NotCompactedError, match="energy_j of a later release"):
        compact_sweep(tmp_path, "mine")
    assert len(files(tmp_path)) == 8


def unsupported(first: Path, second: Path) -> None:
    raise OSError(errno.EINVAL, "the file system cannot exchange two folders in one step", str(first))


def test_without_an_exchange_the_records_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(tmp_path)
    before = files(tmp_path)
    monkeypatch.setattr(compaction, "exchange", unsupported)
    with pytest.raises(NotCompactedError, match="cannot exchange two folders in one step"):
        compact_sweep(tmp_path, "mine")
    assert files(tmp_path) == before
    assert not list(tmp_path.glob("sweeps/mine/*"))


def test_a_new_file_that_is_wrong_is_never_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sweep(tmp_path)
    before = files(tmp_path)
    write = compaction.write_compacted

    def forgetful(path: Path, parts: Any, columns: Any) -> None:
        changed = [part.set_column(0, "sweep_id", part["sweep_id"]) for part in parts]
        index = changed[0].column_names.index("duration_s")
        changed[0] = changed[0].set_column(index, "duration_s", changed[1]["cpu_sys_s"])
        write(path, changed, columns)

    monkeypatch.setattr(compaction, "write_compacted", forgetful)
    with pytest.raises(NotCompactedError, match="its column duration_s differs"):
        compact_sweep(tmp_path, "mine")
    assert files(tmp_path) == before


def test_a_file_that_another_process_added_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sweep(tmp_path)
    real = compaction.exchange

    def late(first: Path, second: Path) -> None:
        if not (tmp_path / "rounds" / DATE / "mine" / "mine.00009.1.parquet").exists():
            write_attempt(tmp_path, 9)
        real(first, second)

    monkeypatch.setattr(compaction, "exchange", late)
    with pytest.raises(NotCompactedError, match=r"its files changed: mine\.00009"):
        compact_sweep(tmp_path, "mine")
    assert Counter(l2sweep.load_rounds(tmp_path)["point_index"]) == dict.fromkeys((0, 1, 2, 3, 9), 6)
    assert not list(tmp_path.glob("sweeps/mine/*"))


def test_what_a_killed_compaction_left_is_removed(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    before = both(tmp_path)
    shutil.copytree(tmp_path / "rounds" / DATE / "mine", unfinished(tmp_path, "rounds", "mine"))
    assert_same(tmp_path, before)
    compact_sweep(tmp_path, "mine")
    assert_same(tmp_path, before)
    assert not list(tmp_path.glob("sweeps/mine/*"))


def test_files_that_are_no_records_stay(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    (tmp_path / "rounds" / DATE / "mine" / "README.txt").write_text("mine")
    compact_sweep(tmp_path, "mine")
    assert (tmp_path / "rounds" / DATE / "mine" / "README.txt").read_text() == "mine"


def test_a_sweep_of_one_point_stays_as_it_is(tmp_path: Path) -> None:
    write_sweep(tmp_path, points=1)
    assert compact_sweep(tmp_path, "mine").files_before == 0
    assert files(tmp_path) == [
        f"points/{DATE}/mine/mine.00000.1.parquet",
        f"rounds/{DATE}/mine/mine.00000.1.parquet",
    ]
