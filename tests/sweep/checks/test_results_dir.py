"""The results folder must be writable, and must not contain records of the same sweep."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_rows import point_row, round_row

from l2sweep.config.sweep import SweepConfig
from l2sweep.errors import RequestError
from l2sweep.records.writer import write_point
from l2sweep.sweep.checks.results_dir import require_new_sweep, require_writable


@pytest.mark.parametrize("below", [".", "not/yet", "not/../yet"])
def test_a_writable_folder_is_accepted_and_not_changed(tmp_path: Path, below: str) -> None:
    require_writable(str(tmp_path / below))
    assert list(tmp_path.iterdir()) == []


def test_a_relative_path_starts_at_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").write_text("a file, so that this path is refused")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match="results_dir=results: must be"):
        require_writable("results")
    require_writable("other")
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize("results_dir", ["/proc/results", "/sys/results", "/dev/null", "/dev/null/results"])
def test_a_folder_that_cannot_be_written_is_refused(results_dir: str) -> None:
    with pytest.raises(RequestError, match=f"results_dir={results_dir}: must be a writable") as refused:
        require_writable(results_dir)
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("name", ["rounds", "points", "sweeps"])
def test_each_subfolder_must_be_writable(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a file")
    with pytest.raises(RequestError, match=f"{tmp_path / name}: Not a directory"):
        require_writable(str(tmp_path))


@pytest.mark.parametrize("below", ["file", "file/results"])
def test_a_file_is_refused_and_kept(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RequestError, match="results_dir="):
        require_writable(str(tmp_path / below))
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("below", ["link", "link/results"])
def test_a_dangling_link_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "unmounted")
    with pytest.raises(RequestError, match="results_dir="):
        require_writable(str(tmp_path / below))


def sweep(results_dir: Path, sweep_id: str = "mine") -> SweepConfig:
    return SweepConfig(sweep_id=sweep_id, results_dir=str(results_dir))


def test_a_new_sweep_id_is_accepted(tmp_path: Path) -> None:
    write_point(tmp_path, "mine.other.00000.1", [round_row()], [point_row()])
    (tmp_path / "sweeps" / "other").mkdir(parents=True)
    require_new_sweep(sweep(tmp_path))


def test_a_sweep_id_with_records_is_refused(tmp_path: Path) -> None:
    write_point(tmp_path, "mine.00000.1", [], [point_row()])
    with pytest.raises(RequestError, match="sweep_id=mine: must be new"):
        require_new_sweep(sweep(tmp_path))


def test_a_sweep_id_with_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweeps" / "mine").mkdir(parents=True)
    with pytest.raises(RequestError, match="sweep_id=mine: must be new"):
        require_new_sweep(sweep(tmp_path))
