"""Ctrl-C: once, what was measured is kept; twice, at once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import RunL2Sweep, children, command_line, start_l2sweep, wait_for

import l2sweep


def test_a_second_interrupt_leaves_at_once(tmp_path: Path, faulty: Callable[[str], str]) -> None:
    options = ("-m", faulty("StubbornStore"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="2")
    server = wait_for(lambda: next(iter(children(process.pid)), None))
    bench = wait_for(lambda: next((pid for pid in children(server) if ignores_sigterm(pid)), None))
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # it gives the benchmark process a moment to end
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "l2sweep: stopped by the user\n"
    wait_for(lambda: command_line(bench) == "" or None)
    assert not list((tmp_path / "results" / "points").glob("*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_of_short_points_is_stopped_at_whatever_moment(
    tmp_path: Path, number: signal.Signals
) -> None:
    grid = ("adapter=mock", "num_keys=1", "data_size_kb=64", f"seed={','.join(map(str, range(200)))}")
    process = start_l2sweep(tmp_path, "-m", *grid)
    recorded = tmp_path / "results" / "points"
    wait_for(lambda: len(list(recorded.glob("*.parquet"))) if recorded.is_dir() else None)
    time.sleep(random.Random(int(number)).uniform(0.3, 0.6))
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "To go on: python -m l2sweep resume=" in out
    statuses = l2sweep.load_points(tmp_path / "results")["status"]
    assert set(statuses) <= {"ok", "stopped"}
    assert 0 < len(statuses) < 200
    assert not list((tmp_path / "results").rglob("running-*"))


@pytest.mark.parametrize("after_s", [0.2, 0.5])
def test_what_is_stopped_before_it_began_says_so_in_one_line(tmp_path: Path, after_s: float) -> None:
    process = start_l2sweep(tmp_path, "-m", "adapter=mock", "num_keys=2,4")
    time.sleep(after_s)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "l2sweep: stopped by the user\n")


def test_an_interrupt_while_a_process_is_ended_loses_no_row(
    tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    options = ("-m", faulty("LingeringStore"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="3")
    wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 4 or None)
    time.sleep(2)  # it has closed its messages by now, and is given its time to end
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["crashed"]
    assert len(l2sweep.load_rounds(tmp_path / "results")) == 2
    assert list((tmp_path / "kv").glob("*.data")) == []


def test_an_interrupt_while_keys_are_removed_loses_no_row_and_leaves_them_to_the_next_run(
    tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    options = ("-m", faulty("CrashingStoreHangingDelete"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="3")
    recorded = tmp_path / "results" / "points"
    wait_for(lambda: len(list(recorded.glob("*.parquet"))) or None)
    time.sleep(1)
    assert process.poll() is None  # it waits for the keys to be removed
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "1 failed, 1 not run" in out
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["crashed"]
    assert len(l2sweep.load_rounds(tmp_path / "results")) == 2
    assert len(list((tmp_path / "results").rglob("running-*.json"))) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_results_that_cannot_be_written_end_the_sweep_in_one_line(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(disk)], check=True)
    try:
        grid = ("adapter=mock", "num_keys=1,2,3,4,5,6,7", "data_size_kb=64")
        run = run_l2sweep("-m", *grid, f"results_dir={disk}/results")
        recorded = len(l2sweep.load_points(disk / "results"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert run.exit_code == 1
    reason = "a point was not recorded: No space left on device"
    assert run.err == f"l2sweep: results_dir={disk}/results: {reason}\n"
    assert 0 < recorded < 7


def ignores_sigterm(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    ignored = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
    return bool(ignored >> (signal.SIGTERM - 1) & 1)
