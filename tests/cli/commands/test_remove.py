"""Sweeps are removed only if that was confirmed, and nobody needs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_rows import point_row, round_row
from shipped import point

from l2sweep.cli.application import main
from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError
from l2sweep.records.owner import Host
from l2sweep.records.writer import write_point
from l2sweep.sweep.state.journal import JournalEntry, journal_file
from l2sweep.sweep.state.sweep_lock import sweep_lock


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a results folder with the sweeps a and b."""
    for sweep_id in ("a", "b"):
        row = {"sweep_id": sweep_id}
        write_point(tmp_path, f"{sweep_id}.00000.1", [round_row(**row)], [point_row(**row)])
        folder = tmp_path / "sweeps" / sweep_id
        folder.mkdir(parents=True)
        (folder / "point.log").write_text("a line")
    return tmp_path


def left(results: Path) -> set[str]:
    """Return the sweeps of which a file is left."""
    return {path.parent.name for path in results.rglob("*") if path.is_file()}


def remove(results: Path, *arguments: str) -> int:
    return run_command(["remove", *arguments, "--results-dir", str(results)])


def test_records_logs_and_plan_of_the_selected_sweep_are_removed(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remove(results, "a", "--yes") == 0
    assert left(results) == {"b"}
    assert capsys.readouterr().out.endswith("removed 1 sweep\n")


def test_nothing_is_removed_unless_it_is_confirmed(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    assert main(["remove", "a", "--results-dir", str(results)]) == 1
    assert "remove: not confirmed" in capsys.readouterr().err
    assert left(results) == {"a", "b"}
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "y")
    assert main(["remove", "a", "--results-dir", str(results)]) == 0
    assert left(results) == {"b"}


def test_a_sweep_that_runs_is_not_removed_and_no_other_with_it(results: Path) -> None:
    with (
        sweep_lock(results / "sweeps" / "b"),
        pytest.raises(RequestError, match="remove: sweep b is being run"),
    ):
        remove(results, "latest~0..1", "--yes")
    assert left(results) == {"a", "b"}


def test_a_sweep_with_a_file_keep_is_not_removed(results: Path) -> None:
    (results / "sweeps" / "a" / "keep").touch()
    with pytest.raises(RequestError, match=r"remove: a is kept: remove .*/sweeps/a/keep first"):
        remove(results, "a", "--yes")
    assert left(results) == {"a", "b"}


def test_a_sweep_of_which_keys_are_stored_is_not_removed(results: Path) -> None:
    job = point(adapter={"type": "mock"}, keep_data=True).job("a-0-1-0a0a0a")
    file = journal_file(results / "sweeps" / "a", 0, 1, "0a0a0a")
    file.write_text(JournalEntry(Host.here(), job, None).to_json())
    with pytest.raises(
        RequestError, match=r"keys of a are still stored: run l2sweep clean .* --sweep-id a first"
    ):
        remove(results, "a", "--yes")
    assert left(results) == {"a", "b"}


def test_a_sweep_whose_folder_is_a_link_is_not_removed(
    results: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("precious")
    (elsewhere / "file").touch()
    for file in (results / "sweeps" / "a").iterdir():
        file.unlink()
    (results / "sweeps" / "a").rmdir()
    (results / "sweeps" / "a").symlink_to(elsewhere)
    with pytest.raises(RequestError, match=r"remove: a is never removed: .*/sweeps/a is not a folder"):
        remove(results, "a", "--yes")
    assert (elsewhere / "file").exists()


def test_a_selector_that_selects_nothing_is_refused(results: Path) -> None:
    with pytest.raises(RequestError, match="has no such sweep"):
        remove(results, "c", "--yes")
