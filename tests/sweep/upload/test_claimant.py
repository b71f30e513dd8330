"""What is said of a sweep that another machine runs, or ran."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from file_stores import SWEEP, FailingStore, record, spooled

from l2sweep.cli.command_group import run_command
from l2sweep.records.owner import Owner
from l2sweep.records.store.place import place_of
from l2sweep.sweep.state.manifest import Manifest
from l2sweep.sweep.upload.claimant import runner_of

_FAR = {"name": "far", "machine_id": "1", "boot_id": "2"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FailingStore:
    """Return a store with a sweep of which one of two points is measured."""
    monkeypatch.setenv("L2SWEEP_SPOOL_DIR", str(tmp_path / "spools"))
    monkeypatch.setenv("L2SWEEP_LOCK_DIR", str(tmp_path))
    found = FailingStore(tmp_path / "store")
    record(tmp_path / "spool", [0])
    points = [
        {"index": index, "repeat": 0, "point_id": f"{index:016x}", "overrides": []} for index in range(2)
    ]
    Manifest(SWEEP, [], [], points, []).save(tmp_path / "spool" / "sweeps" / SWEEP)
    spooled(found, tmp_path / "spool").publish()
    return found


def claim(store: FailingStore, age_s: float = 0, **changes: object) -> str:
    """Put a claim of some age, and return how its process is named."""
    owner = {**json.loads(Owner.of_this_process(SWEEP).to_json()), **changes}
    key = f"sweeps/{SWEEP}/claims/other.json"
    store.put(key, json.dumps(owner).encode())
    put_s = time.time() - age_s
    os.utime(Path(store.address.root) / key, (put_s, put_s))
    return str(Owner.from_json(store.get(key)))


def test_a_process_of_this_host_that_lives_certainly_runs_the_sweep(store: FailingStore) -> None:
    process = claim(store, age_s=3600)
    runner = runner_of(place_of(store.address.url), SWEEP)
    assert runner is not None
    assert runner.is_certain
    assert runner.sentence == f"sweep mine is being run by {process}"


def test_a_process_of_this_host_that_died_runs_nothing(store: FailingStore) -> None:
    claim(store, started_ticks=1)
    assert runner_of(place_of(store.address.url), SWEEP) is None


@pytest.mark.parametrize(
    ("age_s", "ago", "what"),
    [
        (-60, r"0 s ago", "if it has died, its claim expires after 3 minutes"),
        (7200, r"2 h ago", "it has died, or is cut off from the store; the sweep can be resumed"),
        (86400 * 3, r"3 days ago", "it has died, or is cut off from the store; the sweep can be resumed"),
    ],
)
def test_a_process_of_another_host_is_not_said_to_run(
    store: FailingStore, age_s: float, ago: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    process = claim(store, age_s, host=_FAR)
    runner = runner_of(place_of(store.address.url), SWEEP)
    assert runner is not None
    assert not runner.is_certain
    assert runner.sentence == f"sweep mine is not finished: {process} was last seen {ago}: {what}"
    run_command(["list", "--results-dir", store.address.url, "--format", "csv"])
    out = capsys.readouterr().out
    assert f'"1 not run, last seen {ago} on far"' in out
    assert "running" not in out
    run_command(["status", "--results-dir", store.address.url])
    out = " ".join(capsys.readouterr().out.split())
    assert f"mine 2 1 0 0 1 last seen {ago} on far " in out
    assert runner.sentence in out
