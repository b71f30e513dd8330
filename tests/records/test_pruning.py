"""Tests of l2sweep.records.pruning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sample_rows import point_row, round_row

from l2sweep.records.pruning import KEEP, prune
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.writer import write_point

FIRST = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)


def write_nights(folder: Path, number: int, name: str = "nightly", **changes: Any) -> None:
    for day in range(number):
        own = {"sweep_id": f"{name}-{day}", "sweep_name": name, "started_at": FIRST + timedelta(days=day)}
        write_point(folder, f"{name}-{day}.00000.1", [round_row(**own)], [point_row(**own, **changes)])
        logs = folder / "sweeps" / f"{name}-{day}"
        logs.mkdir(parents=True)
        (logs / "point-00000.1.log").write_bytes(b"x" * 100_000)


def sweeps(folder: Path) -> list[str]:
    left = sorted(set(load_points(folder)["sweep_id"]))
    assert sorted(set(load_rounds(folder)["sweep_id"])) == left
    assert sorted(path.name for path in (folder / "sweeps").iterdir()) == left
    return left


def test_the_oldest_sweeps_above_keep_nights_are_removed(tmp_path: Path) -> None:
    write_nights(tmp_path, 5)
    assert prune(tmp_path, "nightly", keep_nights=3, keep_gb=None) == ["nightly-0", "nightly-1"]
    assert sweeps(tmp_path) == ["nightly-2", "nightly-3", "nightly-4"]
    assert prune(tmp_path, "nightly", keep_nights=3, keep_gb=None) == []


def test_the_oldest_sweeps_above_keep_gb_are_removed_except_the_last_two(tmp_path: Path) -> None:
    write_nights(tmp_path, 5)
    all_bytes = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    three_and_a_half = 3.5 / 5 * all_bytes / 1e9
    assert prune(tmp_path, "nightly", keep_nights=60, keep_gb=three_and_a_half) == ["nightly-0", "nightly-1"]
    assert prune(tmp_path, "nightly", keep_nights=60, keep_gb=0.0) == ["nightly-2"]
    assert sweeps(tmp_path) == ["nightly-3", "nightly-4"]


def test_sweeps_with_other_names_or_a_keep_file_are_not_removed(tmp_path: Path) -> None:
    write_nights(tmp_path, 4)
    write_nights(tmp_path, 3, name="mine")
    (tmp_path / "sweeps" / "nightly-0" / KEEP).touch()
    assert prune(tmp_path, "nightly", keep_nights=2, keep_gb=None) == ["nightly-1"]
    assert len(sweeps(tmp_path)) == 3 + 3


def test_a_sweep_with_the_only_successful_measurement_of_a_point_is_not_removed(tmp_path: Path) -> None:
    write_nights(tmp_path, 4, status="failed")
    good = {"sweep_id": "nightly-0", "sweep_name": "nightly", "point_id": "f" * 16, "started_at": FIRST}
    write_point(tmp_path, "nightly-0.00001.1", [round_row(**good)], [point_row(**good, point_index=1)])
    assert prune(tmp_path, "nightly", keep_nights=2, keep_gb=None) == ["nightly-1"]
    assert sweeps(tmp_path) == ["nightly-0", "nightly-2", "nightly-3"]


def test_a_warm_measurement_does_not_count_as_successful(tmp_path: Path) -> None:
    for day, status in enumerate(["ok", "warm", "warm", "warm"]):
        own = {"sweep_id": f"nightly-{day}", "started_at": FIRST + timedelta(days=day)}
        rows = [point_row(**own, phase="store"), point_row(**own, phase="load", status=status)]
        write_point(tmp_path, f"nightly-{day}.00000.1", [round_row(**own)], rows)
    assert prune(tmp_path, "nightly", keep_nights=2, keep_gb=None) == ["nightly-1"]
