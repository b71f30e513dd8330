"""Tests of l2sweep.records.reading.listing."""

from __future__ import annotations

from pathlib import Path

from l2sweep.records.files import file_stem
from l2sweep.records.reading.listing import files_of_sweep


def test_files_of_a_sweep_are_sorted_by_point(tmp_path: Path) -> None:
    (tmp_path / "points").mkdir()
    for index in (10, 2, 99999):
        (tmp_path / "points" / f"{file_stem('mine', index, 1)}.parquet").touch()
    files = files_of_sweep(tmp_path, "points", "mine")
    assert [file.name.split(".")[1] for file in files] == ["00002", "00010", "99999"]


def test_files_of_a_sweep_do_not_include_those_of_a_longer_id(tmp_path: Path) -> None:
    (tmp_path / "points").mkdir()
    for sweep_id in ("mine", "mine.2", "mine2", "[m]ine"):
        (tmp_path / "points" / f"{file_stem(sweep_id, 0, 1)}.parquet").touch()
    for sweep_id in ("mine", "mine.2", "[m]ine"):
        (file,) = files_of_sweep(tmp_path, "points", sweep_id)
        assert file.name == f"{file_stem(sweep_id, 0, 1)}.parquet"


def test_files_of_a_missing_folder_are_none(tmp_path: Path) -> None:
    assert files_of_sweep(tmp_path, "points", "mine") == []
