"""Ctrl-C and SIGTERM: the first removes the keys, the second leaves them, the third ends at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import random
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from chaos.processes import has_signal
from conftest import RunL2Sweep, children, command_line, l2sweep_environment, start_l2sweep, wait_for

import l2sweep

TRIALS = int(os.environ.get("L2SWEEP_KILLS", "6"))  # a hundred by hand

HURRY = "l2sweep: stopping at once: the next run removes the keys of the running point\n"
LEAVE = "l2sweep: stopped by the user\n"
BOOT_S = 0.15  # Python itself starts in 40 ms (measured); before l2sweep runs, it cannot handle a signal


@dataclass(frozen=True)
class Stubborn:
    """A sweep whose benchmark process ignores SIGTERM.

    Attributes:
        launcher: The launcher.
        bench: The benchmark process.
    """

    launcher: subprocess.Popen[str]
    bench: int


@pytest.fixture
def stubborn(tmp_path: Path, faulty: Callable[[str], str]) -> Stubborn:
    options = ("-m", faulty("StubbornStore"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="3")
    server = wait_for(lambda: next(iter(children(process.pid)), None))
    bench = wait_for(
        lambda: next((pid for pid in children(server) if has_signal(pid, "SigIgn", signal.SIGTERM)), None)
    )
    return Stubborn(process, bench)


def test_the_second_signal_writes_the_rows_and_leaves_the_keys_to_the_next_run(
    stubborn: Stubborn, tmp_path: Path, run_l2sweep: RunL2Sweep
) -> None:
    process = stubborn.launcher
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None  # it waits for the benchmark process to end
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, HURRY)
    assert "0 of 2 points measured, 1 stopped, 1 not run" in out
    wait_for(lambda: command_line(stubborn.bench) == "" or None)
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["stopped"]
    assert len(l2sweep.load_rounds(tmp_path / "results")) == 2
    assert len(list((tmp_path / "kv").glob("*.data"))) == 4
    status = run_l2sweep("status")
    assert status.out.splitlines()[1].split()[1:] == ["2", "0", "0", "1", "1"]
    again = run_l2sweep("resume=latest", FAULT_AT="99")
    assert again.exit_code == 0, again.out + again.err
    assert "were removed" in again.out
    assert list((tmp_path / "kv").glob("*.data")) == []


def test_the_third_signal_ends_everything_at_once(stubborn: Stubborn, tmp_path: Path) -> None:
    process = stubborn.launcher
    os.kill(process.pid, signal.SIGSTOP)  # so that it cannot end before the third arrives
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, number)
    os.kill(process.pid, signal.SIGCONT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, HURRY + LEAVE)
    time.sleep(1)
    assert command_line(stubborn.bench) == ""
    assert not list((tmp_path / "results" / "points").glob("*"))


def test_the_first_signal_alone_removes_the_keys(stubborn: Stubborn, tmp_path: Path) -> None:
    process = stubborn.launcher
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert "1 stopped, 1 not run" in out
    assert list((tmp_path / "kv").glob("*.data")) == []
    assert not list((tmp_path / "results").rglob("running-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_of_short_points_is_stopped_at_a_random_moment(
    tmp_path: Path, number: signal.Signals
) -> None:
    grid = ("adapter=mock", "num_keys=1", "data_size_kb=64", f"seed={','.join(map(str, range(200)))}")
    process = start_l2sweep(tmp_path, "-m", *grid)
    recorded = tmp_path / "results" / "points"
    wait_for(lambda: len(list(recorded.rglob("*.parquet"))) if recorded.is_dir() else None)
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


def test_two_signals_while_keys_are_removed_lose_no_row_and_leave_the_keys_to_the_next_run(
    tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    options = ("-m", faulty("CrashingStoreHangingDelete"), "num_keys=2,4", "rounds=3")
    process = start_l2sweep(tmp_path, *options, FAULT_AT="3")
    recorded = tmp_path / "results" / "points"
    wait_for(lambda: len(list(recorded.rglob("*.parquet"))) or None)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None  # it waits until the keys are removed
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, HURRY)
    assert "1 failed, 1 not run" in out
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["crashed"]
    assert len(l2sweep.load_rounds(tmp_path / "results")) == 2
    assert len(list((tmp_path / "results").rglob("running-*.json"))) == 1


def allowed_errors(count: int) -> set[str]:
    """Return what standard error may contain after a number of signals."""
    return {"", LEAVE} if count == 1 else {"", LEAVE, HURRY, HURRY + LEAVE}


@pytest.mark.parametrize("trial", range(TRIALS))
def test_signals_at_random_moments_end_with_the_documented_exit_code(tmp_path: Path, trial: int) -> None:
    chance = random.Random(trial)
    count = 1 + trial % 3
    process = start_l2sweep(tmp_path, "-m", "num_keys=2,4", "rounds=20", f"adapter.base_path={tmp_path}/kv")
    time.sleep(chance.uniform(BOOT_S, 3))
    found = [process.pid, *children(process.pid)]
    found += [pid for parent in found for pid in children(parent)]
    for _ in range(count):
        process.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM]))
        time.sleep(chance.choice([0, 0.001, 0.05, 0.3]))
    out, err = process.communicate(timeout=60)
    assert process.returncode in ((0, 130) if "2 of 2 points measured" in out else (130,)), (out, err)
    assert err in allowed_errors(count)
    time.sleep(1)
    assert [line for pid in found if "l2sweep" in (line := command_line(pid))] == []


@pytest.mark.parametrize("trial", range(TRIALS))
def test_ctrl_c_twice_in_a_terminal_prints_no_traceback(tmp_path: Path, trial: int) -> None:
    chance = random.Random(trial)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "l2sweep", "-m", "adapter=mock", "num_keys=1,2,3,4", "rounds=50"],
        cwd=tmp_path,
        env=l2sweep_environment(tmp_path),
        **dict.fromkeys(("stdin", "stdout", "stderr"), slave),  # type: ignore[call-overload]
        preexec_fn=become_foreground,
    )
    os.close(slave)
    shown: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(master, shown))
    reader.start()
    time.sleep(chance.uniform(BOOT_S, 3))
    for _ in range(2):
        os.write(master, b"\x03")
        time.sleep(chance.choice([0.01, 0.1, 0.3]))
    code = process.wait(60)
    reader.join()
    os.close(master)
    text = b"".join(shown).decode()
    assert code in ((0, 130) if "4 of 4 points measured" in text else (130,)), text
    assert not {"Traceback", "Error", "internal"} & set(text.replace(":", " ").split())


def become_foreground() -> None:
    """Take the terminal of standard input, so that Ctrl-C in it reaches this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_all(descriptor: int, chunks: list[bytes]) -> None:
    """Keep what a terminal shows, until no process has it open: then reading fails with EIO."""
    with contextlib.suppress(OSError):
        while chunk := os.read(descriptor, 1 << 16):
            chunks.append(chunk)


@pytest.mark.usefixtures("root")
def test_a_sweep_whose_results_cannot_be_written_ends_with_one_line(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], check=True)
    try:
        grid = ("adapter=mock", "num_keys=range(1,25)", "data_size_kb=64")
        run = run_l2sweep("-m", *grid, f"results_dir={disk}/results")
        recorded = len(l2sweep.load_points(disk / "results"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert run.exit_code == 1
    reason = "a point was not recorded: No space left on device"
    assert run.err == f"l2sweep: results_dir={disk}/results: {reason}\n"
    assert 0 < recorded < 24
