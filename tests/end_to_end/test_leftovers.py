"""A run removes the keys of an earlier run whose launcher was killed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from conftest import RunL2Sweep, start_l2sweep, wait_for
from shipped import point

from l2sweep.records.owner import Host
from l2sweep.sweep.state.journal import JournalEntry, journal_file

Faulty = Callable[[str], str]
TINY = ("num_keys=2", "data_size_kb=64", "rounds=1")


def test_an_unreadable_journal_is_reported_and_the_sweep_runs(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    folder = tmp_path / "results" / "sweeps" / "old"
    folder.mkdir(parents=True)
    (folder / "running-00000.1.json").write_text("{")
    run = run_l2sweep("-m", "adapter=mock", *TINY)
    assert run.exit_code == 0, run.err
    assert "running-00000.1.json cannot be read" in run.out


def test_keys_that_the_adapter_cannot_delete_are_noted_in_the_log_and_leave_no_journal(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    run = run_l2sweep("-m", faulty("NeverDeleting"), *TINY)
    assert run.exit_code == 0, run.out + run.err
    assert "[Note] NeverDeleting cannot delete: 4 keys may stay" in run.log()
    assert list(run.results_dir.rglob("running-*")) == []


def test_the_next_run_reports_keys_that_the_adapter_of_a_killed_run_cannot_delete(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Faulty
) -> None:
    journal = run_until_killed(tmp_path, faulty("HangingStore"))
    content = json.loads(journal.read_text())
    content["job"]["adapter_spec"] = json.loads(faulty("NeverDeleting").partition("=")[2])
    journal.write_text(json.dumps(content))
    run = run_l2sweep(faulty("NeverDeleting"), *TINY)
    assert run.exit_code == 0, run.err
    assert ", left by an earlier run, remain: the adapter cannot delete" in run.out
    assert list(run.results_dir.rglob("running-*")) == []


def test_a_single_point_removes_the_keys_and_unfinished_files_of_a_killed_run(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Faulty
) -> None:
    journal = run_until_killed(tmp_path, faulty("HangingStore"))
    (stored, _) = (tmp_path / "kv").glob("*.data")
    stored.with_suffix(".tmp").touch()  # the name that LMCache's fs adapter gives a key while it writes it
    foreign = tmp_path / "kv" / f"other-{stored.with_suffix('.tmp').name}"
    foreign.touch()
    run = run_l2sweep(faulty("HangingStore"), *TINY, FAULT_AT="99")
    assert run.exit_code == 0, run.err
    assert ", left by an earlier run, were removed" in run.out
    assert list((tmp_path / "kv").iterdir()) == [foreign]
    assert not journal.exists()


def test_keys_that_cannot_be_removed_are_reported_and_the_sweep_runs(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    job = point(adapter={"type": "fs", "base_path": str(tmp_path / "file" / "kv")}).job("killed-0-1-0a0a0a")
    entry = JournalEntry(Host.here(), job, None)
    journal = journal_file(tmp_path / "results" / "sweeps" / "killed", 0, 1, "0a0a0a")
    journal.parent.mkdir(parents=True)
    journal.write_text(entry.to_json())
    run = run_l2sweep("-m", "adapter=mock", *TINY)
    assert run.exit_code == 0, run.err
    assert "left by an earlier run, may remain: their deletion is not proven; the next run" in run.out
    assert journal.exists()


def test_keys_of_another_interpreter_are_removed_without_running_it(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    python.chmod(0o755)
    job = point(adapter={"type": "fs", "base_path": str(tmp_path / "kv")}).job("killed-0-1-0a0a0a")
    journal = journal_file(tmp_path / "results" / "sweeps" / "killed", 0, 1, "0a0a0a")
    journal.parent.mkdir(parents=True)
    journal.write_text(JournalEntry(Host.here(), job, str(python)).to_json())
    run = run_l2sweep("adapter=mock", *TINY)
    assert run.exit_code == 0, run.err
    assert "left by an earlier run, were removed" in run.out
    assert not (tmp_path / "ran").exists()


def test_kept_keys_of_a_killed_run_are_named_until_clean_removes_them(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Faulty
) -> None:
    run_until_killed(tmp_path, faulty("HangingStore"), "keep_data=true", "sweep_id=mine")
    (stored, _) = (tmp_path / "kv").glob("*.data")
    stored.with_suffix(".tmp").touch()
    for command in (("adapter=mock", *TINY), ("status",)):
        run = run_l2sweep(*command)
        assert run.exit_code == 0, run.err
        assert "remain: keep_data=true, and their run died; to remove them: " in run.out
        assert "python -m l2sweep clean --results-dir results --sweep-id mine" in run.out
    assert stored.exists()
    (plugin,) = [faulty("HangingStore")]
    clean = run_l2sweep(
        "clean",
        "--results-dir=results",
        "--sweep-id=mine",
        "--adapter-json",
        plugin.removeprefix("adapter_json="),
    )
    assert clean.exit_code == 0, clean.out + clean.err
    assert "were removed" in clean.out
    assert list((tmp_path / "kv").iterdir()) == []
    assert "keep_data" not in run_l2sweep("status").out


def test_kept_keys_of_a_run_that_ended_are_not_named(run_l2sweep: RunL2Sweep) -> None:
    assert run_l2sweep("adapter=fs", "keep_data=true", *TINY).exit_code == 0
    assert "keep_data" not in run_l2sweep("status").out


def run_until_killed(tmp_path: Path, *options: str) -> Path:
    """Kill a single point that hangs in its second store, and return its journal."""
    process = start_l2sweep(
        tmp_path, *options, "num_keys=2", "data_size_kb=64", "rounds=2", "warmup_rounds=0", FAULT_AT="2"
    )
    drain = threading.Thread(target=process.communicate)
    drain.start()
    wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 2 or None)
    process.kill()
    drain.join()
    (journal,) = (tmp_path / "results").rglob("running-*.json")
    assert json.loads(journal.read_text())["host"] == asdict(Host.here())
    return journal
