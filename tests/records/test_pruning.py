"""Tests of l2sweep.records.pruning."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sample_rows import point_row, round_row

from l2sweep.errors import UnreadableRecordsWarning
from l2sweep.records.pruning import KEEP, prune
from l2sweep.records.reader import load_points, load_rounds
from l2sweep.records.storage.layout import record_path
from l2sweep.records.storage.stored_sweep import why_never_removed
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


OLD = {"started_at": FIRST - timedelta(days=9)}


@pytest.mark.parametrize("hostile", ["../../precious", "..", "{tmp_path}/precious", "a/../../../precious"])
def test_a_row_cannot_make_pruning_leave_its_folder(tmp_path: Path, hostile: str) -> None:
    results = tmp_path / "one" / "results"
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / "one" / "precious").mkdir(parents=True)
    write_nights(results, 3)
    hostile = hostile.format(tmp_path=tmp_path)
    write_point(results, "hostile.00000.1", [], [point_row(sweep_id=hostile, **OLD, status="failed")])
    before = sorted(tmp_path.rglob("*"))
    assert prune(results, "nightly", keep_nights=3, keep_gb=None) == []
    assert sorted(tmp_path.rglob("*")) == before
    assert why_never_removed(results, hostile) == "it is not the id of a sweep"


@pytest.mark.parametrize("linked", ["sweeps/nightly-0", "sweeps", "rounds", "points"])
def test_pruning_follows_no_link(tmp_path: Path, linked: str) -> None:
    results = tmp_path / "results"
    write_nights(results, 4)
    elsewhere = (results / linked).rename(tmp_path / "elsewhere")
    (results / linked).symlink_to(elsewhere)
    removed = prune(results, "nightly", keep_nights=2, keep_gb=None)
    assert removed == (["nightly-1"] if linked == "sweeps/nightly-0" else [])
    assert why_never_removed(results, "nightly-0") == f"{results}/{linked} is not a folder"
    assert [path for path in elsewhere.rglob("*") if path.is_file()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_the_sweep_of_another_user_is_not_removed(tmp_path: Path) -> None:
    write_nights(tmp_path, 3)
    os.chown(tmp_path / "sweeps" / "nightly-0", 65534, 65534)
    assert prune(tmp_path, "nightly", keep_nights=2, keep_gb=None) == []
    assert why_never_removed(tmp_path, "nightly-0").endswith("nightly-0 belongs to user 65534")


def test_a_row_in_the_file_of_another_sweep_removes_nothing(tmp_path: Path) -> None:
    write_nights(tmp_path, 3)
    write_nights(tmp_path, 1, name="mine")
    planted = {"sweep_id": "mine-0", "sweep_name": "nightly", "started_at": FIRST - timedelta(days=9)}
    write_point(tmp_path, "planted.00000.1", [], [point_row(**planted, status="failed")])
    with pytest.warns(UnreadableRecordsWarning, match="planted.*its rows are of sweep mine-0"):
        assert prune(tmp_path, "nightly", keep_nights=3, keep_gb=None) == []


def test_a_sweep_with_rows_of_two_names_is_never_removed(tmp_path: Path) -> None:
    write_nights(tmp_path, 4)
    planted = {"sweep_id": "nightly-0", "sweep_name": "mine", "started_at": FIRST}
    write_point(tmp_path, "nightly-0.00001.1", [], [point_row(**planted, status="failed")])
    assert prune(tmp_path, "nightly", keep_nights=2, keep_gb=None) == ["nightly-1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_a_sweep_with_a_file_of_another_user_is_never_removed(tmp_path: Path) -> None:
    write_nights(tmp_path, 4)
    file = record_path(tmp_path, "points", "nightly-0.00000.1")
    os.chown(file, 65534, 65534)
    assert prune(tmp_path, "nightly", keep_nights=2, keep_gb=None) == ["nightly-1"]
    assert why_never_removed(tmp_path, "nightly-0") == f"{file} belongs to user 65534"
