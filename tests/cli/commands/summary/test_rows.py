"""The rows of the table that ``l2sweep summary`` prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_rows import point_row, round_row

from l2sweep.cli.commands.summary.rows import recorded_rows
from l2sweep.errors import RequestError, UnreadableRecordsWarning
from l2sweep.records.writer import write_point


@pytest.fixture
def points(tmp_path: Path) -> list[Path]:
    """Return the files in points of a sweep with two points."""
    for index in range(2):
        row = {"sweep_id": "mine", "point_index": index, "point_id": f"{index:016x}", "num_keys": index + 4}
        write_point(tmp_path, f"mine.{index:05d}.1", [round_row(**row)], [point_row(**row)])
    return sorted((tmp_path / "points").rglob("*.parquet"))


@pytest.mark.parametrize("each_repeat", [False, True])
def test_a_point_whose_file_is_damaged_has_no_row(
    points: list[Path], tmp_path: Path, each_repeat: bool
) -> None:
    points[0].write_bytes(b"")
    with pytest.warns(UnreadableRecordsWarning, match=r"mine\.00000\.1\.parquet \(it is empty\)"):
        rows = recorded_rows("mine", str(tmp_path), each_repeat=each_repeat)
    assert {row.parameters["num_keys"] for row in rows} == {"5"}


@pytest.mark.parametrize("each_repeat", [False, True])
def test_a_sweep_whose_points_all_are_damaged_is_refused_in_one_line(
    points: list[Path], tmp_path: Path, each_repeat: bool
) -> None:
    for path in points:
        path.write_bytes(b"")
    with (
        pytest.warns(UnreadableRecordsWarning, match="2 files in "),
        pytest.raises(RequestError, match=r"^summary: mine: no file in points of these sweeps can be read$"),
    ):
        recorded_rows("mine", str(tmp_path), each_repeat=each_repeat)


def test_a_summary_by_columns_of_rounds_needs_no_points(points: list[Path], tmp_path: Path) -> None:
    for path in points:
        path.write_bytes(b"")
    with pytest.warns(UnreadableRecordsWarning, match="2 files in "):
        rows = recorded_rows("mine", str(tmp_path), by=["num_keys"])
    assert {row.parameters["num_keys"] for row in rows} == {"4", "5"}
