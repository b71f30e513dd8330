"""Ctrl-C: the first one keeps the measured rounds, the second one exits at once."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import RunL2Sweep, children, command_line, start_l2sweep, wait_for

import l2sweep


def test_a_second_interrupt_exits_at_once(tmp_path: Path, faulty: Callable[[str], str]) -> None:
    options = ("-m", faulty("StubbornStore"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="2")
    server = wait_for(lambda: next(iter(children(process.pid)), None))
    bench = wait_for(
        lambda: next((pid for pid in children(server) if has_signal(pid, "SigIgn", signal.SIGTERM)), None)
    )
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # it waits for the benchmark process to end
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "l2sweep: stopped by the user\n"
    wait_for(lambda: command_line(bench) == "" or None)
    assert not list((tmp_path / "results" / "points").glob("*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_of_short_points_is_stopped_at_a_random_moment(
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
    assert "To resume: python -m l2sweep resume=" in out
    statuses = l2sweep.load_points(tmp_path / "results")["status"]
    assert set(statuses) <= {"ok", "stopped"}
    assert 0 < len(statuses) < 200
    assert not list((tmp_path / "results").rglob("running-*"))


@pytest.mark.parametrize("moment", ["first", "fork server"])
def test_an_interrupt_during_the_start_prints_one_line(tmp_path: Path, moment: str) -> None:
    process = start_l2sweep(tmp_path, "-m", "adapter=mock", "num_keys=2,4")
    wait_for(lambda: has_signal(process.pid, "SigCgt", signal.SIGTERM) or None)
    if moment == "fork server":
        wait_for(lambda: next(iter(children(process.pid)), None))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "l2sweep: stopped by the user\n")


def test_an_interrupt_while_the_launcher_waits_for_a_process_to_exit_loses_no_row(
    tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    options = ("-m", faulty("LingeringStore"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="3")
    wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 4 or None)
    time.sleep(1)  # now it has closed its pipes, and the launcher waits for its exit
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["crashed"]
    assert len(l2sweep.load_rounds(tmp_path / "results")) == 2
    assert list((tmp_path / "kv").glob("*.data")) == []


def test_an_interrupt_while_keys_are_removed_loses_no_row_and_leaves_the_keys_to_the_next_run(
    tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    options = ("-m", faulty("CrashingStoreHangingDelete"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="3")
    recorded = tmp_path / "results" / "points"
    wait_for(lambda: len(list(recorded.glob("*.parquet"))) or None)
    time.sleep(1)
    assert process.poll() is None  # it waits until the keys are removed
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")
    assert "1 failed, 1 not run" in out
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["crashed"]
    assert len(l2sweep.load_rounds(tmp_path / "results")) == 2
    assert len(list((tmp_path / "results").rglob("running-*.json"))) == 1


@pytest.mark.alone  # it mounts a file system
@pytest.mark.usefixtures("root")
def test_a_sweep_whose_results_cannot_be_written_ends_with_one_line(
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


def has_signal(pid: int, mask: str, number: signal.Signals) -> bool:
    """Whether a mask of a process has a signal: SigIgn (ignored), SigCgt (handled); proc_pid_status(5)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    bits = next(int(line.split()[1], 16) for line in lines if line.startswith(mask))
    return bool(bits >> (number - 1) & 1)
