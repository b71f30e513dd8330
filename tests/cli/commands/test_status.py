"""Tests of l2sweep.cli.commands.status."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console
from sample_rows import point_row, round_row
from shipped import point

from l2sweep.cli.command_group import run_command
from l2sweep.cli.commands import status
from l2sweep.cli.commands.status import print_status
from l2sweep.errors import RequestError
from l2sweep.records.owner import Host
from l2sweep.records.writer import write_point
from l2sweep.sweep.state.journal import JournalEntry, journal_file
from l2sweep.sweep.state.manifest import Manifest
from l2sweep.sweep.state.sweep_lock import sweep_lock


@pytest.fixture(autouse=True)
def no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the lock of the host in an empty folder."""
    (tmp_path / "lock").mkdir()
    monkeypatch.setenv("L2SWEEP_LOCK_DIR", str(tmp_path / "lock"))


def write_sweep(results_dir: Path, sweep_id: str, statuses: Sequence[str | None], age_s: int = 0) -> None:
    """Write a sweep with one point per status; None: the point was not run."""
    folder = results_dir / "sweeps" / sweep_id
    folder.mkdir(parents=True)
    points = [
        {"index": index, "repeat": 0, "point_id": f"{index:016x}", "overrides": []}
        for index in range(len(statuses))
    ]
    Manifest(sweep_id, [], [], points, []).save(folder)
    os.utime(folder / "manifest.json", (1e9 - age_s, 1e9 - age_s))
    for index, ended in enumerate(statuses):
        if ended is not None:
            row = {"sweep_id": sweep_id, "point_index": index}
            write_point(
                results_dir,
                f"{sweep_id}.{index:05d}.1",
                [round_row(**row)],
                [point_row(**row, status=ended)],
            )


def shown(results_dir: Path) -> list[str]:
    out = io.StringIO()
    print_status(Console(file=out, width=400), str(results_dir))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_each_sweep_is_a_row_with_its_counts_oldest_first(tmp_path: Path) -> None:
    write_sweep(tmp_path, "new", ["ok", "failed", "warm", "stopped", None])
    write_sweep(tmp_path, "old", ["ok"], age_s=60)
    header, *rows, last = shown(tmp_path)
    assert header.split() == ["sweep", "points", "done", "failed", "stopped", "left"]
    assert [row.split() for row in rows] == [
        ["old", "1", "1", "0", "0", "0"],
        ["new", "5", "1", "2", "1", "1"],
    ]
    assert last == "No sweep is running on this host."


def test_a_point_counts_with_its_last_attempt(tmp_path: Path) -> None:
    write_sweep(tmp_path, "mine", ["crashed"])
    row = {"sweep_id": "mine", "point_index": 0, "attempt": 2}
    write_point(tmp_path, "mine.00000.2", [round_row(**row)], [point_row(**row)])
    assert shown(tmp_path)[1].split() == ["mine", "1", "1", "0", "0", "0"]


def test_the_running_sweep_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sweep(tmp_path, "mine", [None])
    write_sweep(tmp_path, "mine2", [None])
    monkeypatch.setattr(status, "holder", lambda: "sweep mine2, process 7, since 2026-11-24T02:30:00+00:00")
    rows = {row.split()[0]: row.split()[-1] for row in shown(tmp_path)[1:-1]}
    assert rows == {"mine": "1", "mine2": "running"}
    assert shown(tmp_path)[-1] == (
        "Running on this host: sweep mine2, process 7, since 2026-11-24T02:30:00+00:00"
    )


def test_a_sweep_that_holds_its_lock_is_marked_and_its_process_is_named(tmp_path: Path) -> None:
    write_sweep(tmp_path, "mine", [None])
    write_sweep(tmp_path, "other", [None])
    with sweep_lock(tmp_path / "sweeps" / "mine"):
        lines = shown(tmp_path)
    assert {line.split()[0]: line.split()[-1] for line in lines[1:3]} == {"mine": "running", "other": "1"}
    (named,) = lines[3:]
    assert named.startswith(f"sweep mine is being run by process {os.getpid()} on host ")


def test_a_sweep_that_may_run_on_another_host_is_named_and_not_marked(tmp_path: Path) -> None:
    write_sweep(tmp_path, "mine", [None])
    (tmp_path / "sweeps" / "mine" / "sweep.lock").touch()
    _, row, named = shown(tmp_path)
    assert row.split()[-1] == "1"
    assert named.startswith("sweep mine may be run by an unknown process")


def test_a_folder_without_sweeps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=f"status: --results-dir {tmp_path}: contains no sweep"):
        print_status(Console(file=io.StringIO()), str(tmp_path))


def test_the_command_takes_results_dir(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(tmp_path, "mine", ["ok"])
    assert run_command(["status", "--results-dir", str(tmp_path)]) == 0
    assert "mine" in capsys.readouterr().out
    with pytest.raises(RequestError, match=r"status: got unexpected extra argument \(elsewhere\)"):
        run_command(["status", "elsewhere"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read: it is not JSON"),
        (
            '{"sweep_id": "../x", "arguments": [], "zip": [], "points": []}',
            "cannot be read: sweep_id",
        ),
    ],
)
def test_a_manifest_that_cannot_be_used_is_named_and_the_others_are_shown(
    tmp_path: Path, content: str, words: str
) -> None:
    write_sweep(tmp_path, "mine", ["ok"])
    write_sweep(tmp_path, "bad", ["ok"])
    (tmp_path / "sweeps" / "bad" / "manifest.json").write_text(content)
    _, row, *notes = shown(tmp_path)
    assert row.split()[0] == "mine"
    assert f"{tmp_path}/sweeps/bad/manifest.json {words}" in " ".join(notes)


def test_a_manifest_that_others_can_write_is_named(tmp_path: Path) -> None:
    write_sweep(tmp_path, "mine", ["ok"])
    (tmp_path / "sweeps" / "mine" / "manifest.json").chmod(0o666)
    assert "manifest.json is ignored: every user can write to it" in " ".join(shown(tmp_path))


def test_kept_keys_of_a_run_that_died_are_named(tmp_path: Path) -> None:
    write_sweep(tmp_path, "mine", [None])
    job = point(adapter={"type": "mock"}, keep_data=True).job("mine-0-1-0a0a0a")
    file = journal_file(tmp_path / "sweeps" / "mine", 0, 1, "0a0a0a")
    file.write_text(JournalEntry(Host.here(), job, None).to_json())
    text = " ".join(shown(tmp_path))
    assert f"keys of namespace {job.namespace} remain: keep_data=true, and their run died" in text
    assert f"python -m l2sweep clean --results-dir {tmp_path} --sweep-id mine" in text
