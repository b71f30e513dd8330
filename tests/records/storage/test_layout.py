"""Tests of l2sweep.records.storage.layout: where the records of a sweep are."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest
from sample_rows import point_row, round_row

from l2sweep import load_points, load_rounds
from l2sweep.records import schema
from l2sweep.records.storage import layout
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.storage.layout import date_name, folders_of_sweep, make_folder, records_folder
from l2sweep.records.storage.stored_sweep import stored_sweep, why_never_removed
from l2sweep.records.writer import write_point

MONDAY = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(seconds=2)
DATES = ("date=2026-11-30", "date=2026-12-01")


def write(results_dir: Path, sweep_id: str, began: datetime, index: int = 0) -> None:
    """Write a point with one round."""
    row = {"sweep_id": sweep_id, "point_index": index, "started_at": began}
    write_point(results_dir, f"{sweep_id}.{index:05d}.1", [round_row(**row)], [point_row(**row)])


def files(results_dir: Path) -> list[str]:
    return sorted(str(file.relative_to(results_dir)) for file in results_dir.rglob("*.parquet"))


@pytest.fixture
def nights(tmp_path: Path) -> Path:
    """Return a folder with the sweeps a and 20261130, which began on Monday, and b, on Tuesday."""
    for sweep_id, began in {"a": MONDAY, "20261130": MONDAY, "b": TUESDAY}.items():
        write(tmp_path, sweep_id, began)
        write(tmp_path, sweep_id, began + timedelta(minutes=1), index=1)
    return tmp_path


def test_a_sweep_is_below_the_date_on_which_its_first_process_started(tmp_path: Path) -> None:
    write(tmp_path, "mine", MONDAY)
    assert files(tmp_path) == [
        f"{name}/{DATES[0]}/mine/mine.00000.1.parquet" for name in ("points", "rounds")
    ]


def test_the_date_is_that_of_utc_and_not_that_of_the_id(tmp_path: Path) -> None:
    in_tokyo = MONDAY.astimezone(timezone(timedelta(hours=9)))
    assert (in_tokyo.day, date_name(in_tokyo)) == (1, DATES[0])
    write(tmp_path, "20200101T000000Z-0000", in_tokyo)
    assert [folder.name for folder in (tmp_path / "rounds").iterdir()] == [DATES[0]]
    assert len(load_rounds(tmp_path, sweep="20200101T000000Z-0000")) == 1


def test_a_sweep_keeps_its_folder_on_another_day(tmp_path: Path) -> None:
    write(tmp_path, "mine", MONDAY)
    write(tmp_path, "mine", TUESDAY, index=1)
    assert len(list(tmp_path.glob(f"*/{DATES[0]}/mine/*.parquet"))) == 4
    assert len(files(tmp_path)) == 4


def test_both_data_sets_have_the_same_date_if_the_first_point_had_no_rounds(tmp_path: Path) -> None:
    crashed = point_row(sweep_id="mine", started_at=MONDAY, status="crashed")
    write_point(tmp_path, "mine.00000.1", [], [crashed])
    write(tmp_path, "mine", TUESDAY, index=1)
    assert {file.split("/")[1] for file in files(tmp_path)} == {DATES[0]}


@pytest.mark.parametrize("place", ["a folder without a date", "files of the first releases"])
def test_a_sweep_of_an_earlier_release_is_continued_there_and_moved_when_it_is_compacted(
    tmp_path: Path, place: str
) -> None:
    write(tmp_path, "mine", MONDAY)
    for name in ("points", "rounds"):
        folder = tmp_path / name / DATES[0] / "mine"
        if place.startswith("a folder"):
            folder.rename(tmp_path / name / "mine")
        else:
            file = folder / "mine.00000.1.parquet"
            file.rename(tmp_path / name / file.name)
            folder.rmdir()
        (tmp_path / name / DATES[0]).rmdir()
    write(tmp_path, "mine", TUESDAY, index=1)
    assert len(list(tmp_path.glob("*/mine/mine.00001.1.parquet"))) == 2
    before = load_rounds(tmp_path), load_points(tmp_path)
    assert len(before[0]) == len(before[1]) == 2
    compact_sweep(tmp_path, "mine")
    assert files(tmp_path) == [f"{name}/{DATES[0]}/mine/mine.parquet" for name in ("points", "rounds")]
    assert not list(tmp_path.glob("*/mine/*"))
    pd.testing.assert_frame_equal(load_rounds(tmp_path), before[0])
    pd.testing.assert_frame_equal(load_points(tmp_path), before[1])


@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_sweep_in_two_places_is_read_once_and_removed_from_both(nights: Path, is_compacted: bool) -> None:
    if is_compacted:
        compact_sweep(nights, "a")
    for name in ("points", "rounds"):
        for target in (nights / name / "a", nights / name / DATES[1] / "a"):
            target.mkdir()
            for file in (nights / name / DATES[0] / "a").iterdir():
                (target / file.name).write_bytes(file.read_bytes())
    names = f"^{2 if is_compacted else 4} files in .* ignored, because a compacted file replaces it"
    with pytest.warns(UserWarning, match=names):
        assert len(load_rounds(nights)) == 6
    with pytest.warns(UserWarning, match=names):
        assert len(load_points(nights, sweep=["a"])) == 2
    stored_sweep(nights, "a").remove()
    assert not list(nights.glob("**/a/*"))
    assert len(load_rounds(nights)) == 4


def test_plain_readers_have_the_date_and_skip_the_other_nights(nights: Path) -> None:
    for sweep_id in ("a", "b"):
        compact_sweep(nights, sweep_id)
    rounds = str(nights / "rounds")
    frame = pd.read_parquet(rounds)
    assert frame.groupby("sweep_id")["date"].unique().map(list).to_dict() == {
        "a": ["2026-11-30"],
        "20261130": ["2026-11-30"],
        "b": ["2026-12-01"],
    }
    # Damaged files of the other night: whoever opens them fails.
    for file in (nights / "rounds" / DATES[1]).rglob("*.parquet"):
        file.write_bytes(b"damaged")
    assert len(pd.read_parquet(rounds, filters=[("date", "=", "2026-11-30")])) == 4
    hive = f"read_parquet('{rounds}/**/*.parquet', hive_partitioning = true)"
    assert duckdb.sql(f"SELECT count(*) FROM {hive} WHERE date = DATE '2026-11-30'").fetchall() == [(4,)]
    lazy = pl.scan_parquet(f"{rounds}/**/*.parquet", hive_partitioning=True)
    assert lazy.filter(pl.col("date") == pl.date(2026, 11, 30)).collect().height == 4
    partitioned = ds.dataset(rounds, partitioning="hive")
    assert partitioned.to_table(filter=ds.field("date") == "2026-11-30").num_rows == 4


def test_our_readers_of_one_sweep_open_no_folder_of_another(
    nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = os.scandir

    def noted(path: str | os.PathLike[str]) -> object:
        opened.append(os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", noted)
    for selector, date in {"latest": DATES[1], "name:nightly": DATES[1], "a": DATES[0]}.items():
        opened.clear()
        assert len(load_rounds(nights, sweep=selector)) == 2
        tops = {str(nights / name) for name in ("points", "rounds")}
        assert {Path(path).name for path in set(opened) - tops} <= {date, "a" if selector == "a" else "b"}


def test_no_column_has_the_name_of_the_partition() -> None:
    # pandas and pyarrow refuse a data set in which a file has such a column with another type.
    level, _, _ = layout.ANY_DATE.partition("=")
    assert level not in {*schema.ROUNDS.names, *schema.POINTS.names}


def test_the_last_sweep_of_a_date_is_removed_with_the_folder_of_the_date(nights: Path) -> None:
    for sweep_id, left in {"a": list(DATES), "20261130": list(DATES[1:])}.items():
        stored_sweep(nights, sweep_id).remove()
        for name in ("points", "rounds"):
            assert sorted(folder.name for folder in (nights / name).iterdir()) == left


def test_a_date_that_is_removed_while_a_sweep_is_created_below_it_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "rounds" / DATES[0] / "mine"
    real = Path.mkdir
    removals = 3

    def mkdir(path: Path, *arguments: int) -> None:
        nonlocal removals
        if path == folder and removals:
            removals -= 1
            path.parent.rmdir()
        real(path, *arguments)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    make_folder(folder)
    assert (folder.is_dir(), removals) == (True, 0)


def test_whoever_may_write_into_a_data_set_may_write_below_a_date(tmp_path: Path) -> None:
    (tmp_path / "rounds").mkdir()
    (tmp_path / "rounds").chmod(0o1777)
    make_folder(tmp_path / "rounds" / DATES[0] / "mine")
    assert (tmp_path / "rounds" / DATES[0]).stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "rounds" / DATES[0] / "mine").stat().st_mode & 0o022 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("kind", ["folder", "link"])
@pytest.mark.parametrize("level", ["date", "sweep"])
def test_root_does_not_write_into_a_folder_that_another_user_prepared(
    tmp_path: Path, kind: str, level: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    planted = tmp_path / "rounds" / DATES[0] / ("" if level == "date" else "mine")
    planted.parent.mkdir(parents=True)
    if kind == "link":
        planted.symlink_to(elsewhere)
    else:
        planted.mkdir()
        os.chown(planted, 65534, 65534)
    with pytest.raises(PermissionError, match="root does not write into a folder that"):
        write(tmp_path, "mine", MONDAY)
    assert not list(elsewhere.iterdir())
    assert not files(tmp_path)
    assert why_never_removed(tmp_path, "mine") or level == "date"


def test_a_path_of_a_sweep_that_is_nowhere_is_a_pattern(tmp_path: Path) -> None:
    assert folders_of_sweep(tmp_path, "rounds", "mine") == []
    assert records_folder(tmp_path, "rounds", "mine") == tmp_path / "rounds" / layout.ANY_DATE / "mine"
