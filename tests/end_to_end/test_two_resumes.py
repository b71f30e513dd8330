"""Two runs of one sweep at the same time: one runs, the other is refused and changes nothing.

``L2SWEEP_RESUMES=50`` repeats the race more often; a few times are enough for every day.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest import RunL2Sweep, RunL2SweepIn, start_l2sweep, wait_for

RESUMES = int(os.environ.get("L2SWEEP_RESUMES", "2"))
POINTS = 4
GRID = (
    *("-m", "adapter=mock", "sweep_id=mine", "num_keys=8,16,32,64", "rounds=2", "warmup_rounds=0"),
    *("data_size_kb=1024", "adapter.mock_bandwidth_gb=0.05"),  # 2 rounds of 8 MiB: at least 0.3 s
)


@pytest.fixture(scope="module")
def without_records(run_l2sweep_in: RunL2SweepIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results folder of a sweep whose records are gone."""
    run = run_l2sweep_in(tmp_path_factory.mktemp("made"))(*GRID)
    assert run.exit_code == 0, run.err
    for data_set in ("rounds", "points"):
        shutil.rmtree(run.results_dir / data_set)
    return run.results_dir


@pytest.fixture
def unmeasured(without_records: Path, tmp_path: Path) -> Path:
    """Return a folder with a sweep whose records are gone, so that a resume measures every point."""
    shutil.copytree(without_records, tmp_path / "results")
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    """Return the content of each file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("number", range(RESUMES))
def test_of_two_resumes_at_once_exactly_one_runs(unmeasured: Path, number: int) -> None:
    for name in ("tmp1", "tmp2"):
        (unmeasured / name).mkdir()
    which = ("resume=mine", "resume=latest")
    both = [
        start_l2sweep(unmeasured, resume, "lock=off", TMPDIR=str(unmeasured / name))
        for resume, name in zip(which, ("tmp1", "tmp2"), strict=True)
    ]
    ended = [(process.communicate(timeout=120), process.returncode, process.pid) for process in both]
    assert sorted(code for _, code, _ in ended) == [0, 2], ended
    runs = next(pid for _, code, pid in ended if code == 0)
    (refused,) = (err for (_, err), code, _ in ended if code == 2)
    assert len(refused.splitlines()) == 1
    assert refused.startswith(f"l2sweep: sweep mine is being run by process {runs} on host ")

    results = unmeasured / "results"
    points = pd.concat(pq.read_table(file).to_pandas() for file in (results / "points").rglob("*.parquet"))
    rounds = pd.concat(pq.read_table(file).to_pandas() for file in (results / "rounds").rglob("*.parquet"))
    assert sorted(points["point_index"]) == list(range(POINTS))
    assert points["attempt"].tolist() == [1] * POINTS
    assert set(points["status"]) == {"ok"}
    assert rounds.groupby(["point_index", "phase"]).size().tolist() == [2] * (POINTS * 3)
    assert rounds["namespace"].nunique() == POINTS  # no round comes from another run
    assert list(results.rglob("*.tmp")) == []
    assert sorted(file.name for file in (results / "sweeps" / "mine").iterdir() if file.suffix != ".log") == [
        "config.yaml",
        "manifest.json",
    ]


def test_a_refused_resume_changes_no_file(unmeasured: Path, run_l2sweep: RunL2Sweep) -> None:
    process = start_l2sweep(unmeasured, "resume=mine")
    try:
        wait_for(lambda: len(list(unmeasured.glob("results/sweeps/mine/sweep.lock"))) or None)
        process.send_signal(signal.SIGSTOP)  # it must not change anything either
        time.sleep(0.2)
        before = content(unmeasured / "results")
        folder_changed_ns = (unmeasured / "results" / "sweeps" / "mine").stat().st_mtime_ns
        for arguments in (("resume=mine", "lock=off"), ("resume=latest", "lock=wait"), ("resume=latest",)):
            refused = run_l2sweep(*arguments)
            assert refused.exit_code == 2
            assert f"sweep mine is being run by process {process.pid} on host " in refused.err
            assert len(refused.err.splitlines()) == 1
        assert content(unmeasured / "results") == before
        assert (unmeasured / "results" / "sweeps" / "mine").stat().st_mtime_ns == folder_changed_ns
        status = run_l2sweep("status").out
        assert re.search(r"^mine .* running *$", status, flags=re.MULTILINE), status
        assert f"sweep mine is being run by process {process.pid}" in " ".join(status.split())
    finally:
        process.send_signal(signal.SIGCONT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err


def test_a_killed_run_leaves_no_lock_that_hinders_the_next(unmeasured: Path, run_l2sweep: RunL2Sweep) -> None:
    process = start_l2sweep(unmeasured, "resume=mine")
    lock = unmeasured / "results" / "sweeps" / "mine" / "sweep.lock"
    wait_for(lambda: lock.exists() or None)
    process.kill()
    process.communicate()
    assert lock.exists()
    again = run_l2sweep("resume=mine")
    assert again.exit_code == 0, again.err
    assert not lock.exists()
