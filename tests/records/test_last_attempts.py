"""How the last attempt at each point ended, according to the records that can be read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from record_files import truncate
from sample_rows import DATE, point_row, round_row

from l2sweep.errors import UnreadableRecordsWarning
from l2sweep.records.last_attempts import last_attempts
from l2sweep.records.reading.intact import UNREADABLE
from l2sweep.records.storage.compaction import compact_sweep
from l2sweep.records.writer import write_point


def write_row(results_dir: Path, index: int, attempt: int, *rows: dict[str, Any]) -> None:
    place = {"sweep_id": "mine", "point_index": index, "attempt": attempt}
    write_point(
        results_dir,
        f"mine.{index:05d}.{attempt}",
        [round_row(**place)],
        [point_row(**place, **row) for row in rows],
    )


def test_the_last_attempt_of_each_point_counts(tmp_path: Path) -> None:
    write_row(tmp_path, 0, 1, {"status": "crashed"})
    write_row(tmp_path, 0, 2, {"status": "ok"})
    write_row(tmp_path, 1, 10, {"status": "timeout"})
    write_row(tmp_path, 1, 9, {"status": "ok"})
    assert last_attempts(str(tmp_path), "mine") == {0: (2, "ok"), 1: (10, "timeout")}


def test_a_point_has_the_status_of_its_first_process_that_is_not_ok(tmp_path: Path) -> None:
    statuses = ("ok", "warm", "failed")
    phases = ("store", "lookup", "load")
    rows = [{"phase": phase, "status": status} for phase, status in zip(phases, statuses, strict=True)]
    write_row(tmp_path, 0, 1, *rows)
    assert last_attempts(str(tmp_path), "mine") == {0: (1, "warm")}


def test_a_sweep_without_records_has_no_attempts(tmp_path: Path) -> None:
    write_row(tmp_path, 0, 1, {})
    assert last_attempts(str(tmp_path), "another") == {}


def test_a_point_whose_row_cannot_be_read_is_unreadable_in_the_attempt_of_its_file(tmp_path: Path) -> None:
    write_row(tmp_path, 0, 1, {"status": "failed"})
    write_row(tmp_path, 0, 2, {"status": "ok"})
    write_row(tmp_path, 1, 1, {"status": "ok"})
    truncate(tmp_path / "points" / DATE / "mine" / "mine.00000.2.parquet")
    with pytest.warns(
        UnreadableRecordsWarning, match=rf"1 file in .* cannot be read: points/{DATE}/mine/mine.00000.2"
    ):
        assert last_attempts(str(tmp_path), "mine") == {0: (2, UNREADABLE), 1: (1, "ok")}


def test_a_damaged_file_of_an_earlier_attempt_changes_nothing(tmp_path: Path) -> None:
    write_row(tmp_path, 0, 1, {"status": "failed"})
    write_row(tmp_path, 0, 2, {"status": "ok"})
    truncate(tmp_path / "points" / DATE / "mine" / "mine.00000.1.parquet")
    with pytest.warns(UnreadableRecordsWarning):
        assert last_attempts(str(tmp_path), "mine") == {0: (2, "ok")}


@pytest.mark.parametrize("damage", [truncate, Path.unlink])
def test_a_measured_point_without_readable_rounds_is_unreadable(tmp_path: Path, damage: Any) -> None:
    for index, status in enumerate(["ok", "crashed"]):
        write_row(tmp_path, index, 1, {"status": status})
        damage(tmp_path / "rounds" / DATE / "mine" / f"mine.{index:05d}.1.parquet")
    with pytest.warns(UnreadableRecordsWarning, match=rf": rounds/{DATE}/mine/mine.00000.1.parquet \("):
        assert last_attempts(str(tmp_path), "mine") == {0: (1, UNREADABLE), 1: (1, "crashed")}


def test_damaged_rounds_behind_a_whole_footer_are_found_where_the_rounds_are_read(tmp_path: Path) -> None:
    write_row(tmp_path, 0, 1, {"status": "ok"})
    file = tmp_path / "rounds" / DATE / "mine" / "mine.00000.1.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:4] + bytes(1000) + content[1004:])
    assert last_attempts(str(tmp_path), "mine") == {0: (1, "ok")}
    with pytest.warns(UnreadableRecordsWarning):
        assert last_attempts(str(tmp_path), "mine", reads_rounds=True) == {0: (1, UNREADABLE)}


@pytest.mark.parametrize("removed", ["points", f"points/{DATE}/mine"])
def test_attempts_whose_rounds_are_compacted_count_after_points_was_removed(
    tmp_path: Path, removed: str
) -> None:
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    write_row(tmp_path, 0, 1, {"status": "failed"})
    write_row(tmp_path, 0, 2, {"status": "ok"})
    write_row(tmp_path, 1, 1, {"status": "ok"})
    compact_sweep(tmp_path, "mine")
    shutil.rmtree(tmp_path / removed)
    with pytest.warns(UnreadableRecordsWarning, match=f"points/{DATE}/mine .it has no rows of 2 points"):
        assert last_attempts(str(tmp_path), "mine") == {0: (2, UNREADABLE), 1: (1, UNREADABLE)}


def test_rounds_of_an_attempt_that_was_killed_before_its_points_were_written_are_not_an_attempt(
    tmp_path: Path,
) -> None:
    write_row(tmp_path, 0, 1, {"status": "ok"})
    (tmp_path / "points" / DATE / "mine" / "mine.00000.1.parquet").unlink()
    assert last_attempts(str(tmp_path), "mine") == {}  # the next attempt replaces them
