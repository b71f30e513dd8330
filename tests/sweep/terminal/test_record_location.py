"""The lines that tell where the records are."""

from __future__ import annotations

from typing import Any

from sample_rows import DATE, SWEEP_ID, point_row, round_row

from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.terminal.record_location import record_location


def result(index: int, *rounds: dict[str, Any]) -> PointResult:
    return PointResult([point_row(log_file=f"sweeps/one/point-{index:05d}.1.log")], list(rounds))


def test_a_single_point_has_a_log_file() -> None:
    assert record_location("out/dir", [result(0, round_row())]) == [
        f"Records: out/dir/rounds/{DATE}/{SWEEP_ID} and out/dir/points/{DATE}/{SWEEP_ID}",
        "Log file: out/dir/sweeps/one/point-00000.1.log",
        "To read the records:",
        f'  import pandas as pd; pd.read_parquet("out/dir/rounds/{DATE}/{SWEEP_ID}")',
        '  import l2sweep; l2sweep.load_rounds("out/dir")',
    ]


def test_many_points_have_a_folder_of_log_files() -> None:
    lines = record_location("results", [result(0), result(1, round_row())])
    assert lines[:3] == [
        f"Records: results/rounds/{DATE}/{SWEEP_ID} and results/points/{DATE}/{SWEEP_ID}",
        "Log files: results/sweeps/one/",
        "To read the records:",
    ]


def test_without_rounds_there_are_only_rows_of_points() -> None:
    assert record_location("results", [result(0)]) == [
        f"Records: results/points/{DATE}/{SWEEP_ID}",
        "Log file: results/sweeps/one/point-00000.1.log",
    ]


def test_without_points_nothing_was_recorded() -> None:
    assert record_location("results", []) == []
