"""A fork server that is killed or stopped costs the running point at most, never the rest of the sweep."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import children, command_line, l2sweep_environment, start_l2sweep, wait_for

import l2sweep

POINTS = 4
GRID = ("-m", "num_keys=4,8", "in_flight=1,2", "rounds=4", "data_size_kb=64")
KILLS = int(os.environ.get("L2SWEEP_KILLS", "3"))


def fork_server_of(launcher: int) -> int | None:
    """Return the fork server of a launcher, or None."""
    return next((pid for pid in children(launcher) if "fork_server" in command_line(pid)), None)


def recorded(folder: Path) -> int:
    return len(list((folder / "results" / "points").rglob("*.parquet")))


def statuses(folder: Path) -> list[str]:
    """Return the status of each point, and check that each has been recorded exactly once."""
    points = l2sweep.load_points(folder / "results")
    assert sorted(points["point_index"]) == list(range(POINTS))
    return list(points["status"])


def test_a_server_that_is_killed_with_an_unread_request_is_replaced(tmp_path: Path) -> None:
    process = start_l2sweep(tmp_path, *GRID, "adapter=mock")
    wait_for(lambda: recorded(tmp_path) or None)
    server = wait_for(lambda: fork_server_of(process.pid))
    os.kill(server, signal.SIGSTOP)  # it reads nothing more, and the launcher requests the next process
    time.sleep(0.5)
    os.kill(server, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert err == ""
    assert set(statuses(tmp_path)) <= {"ok", "crashed"}
    assert process.returncode == (1 if "crashed" in statuses(tmp_path) else 0), out


@pytest.mark.parametrize("number", range(KILLS))
def test_a_server_that_is_killed_at_a_random_moment_is_replaced(tmp_path: Path, number: int) -> None:
    chance = random.Random(number)
    process = start_l2sweep(tmp_path, *GRID, f"adapter.base_path={tmp_path}/kv")
    server = wait_for(lambda: fork_server_of(process.pid))
    time.sleep(chance.uniform(0, 4))
    with contextlib.suppress(ProcessLookupError):
        os.kill(server, signal.SIGKILL)
    out, err = process.communicate(timeout=120)
    assert err == ""
    found = statuses(tmp_path)
    assert set(found) <= {"ok", "crashed"}
    assert process.returncode == (1 if "crashed" in found else 0), out
    assert [path for path in (tmp_path / "kv").rglob("*") if path.is_file()] == []
    assert list((tmp_path / "results").rglob("running-*")) == []


def test_a_server_that_is_stopped_does_not_hang_the_sweep(
    tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    process = start_l2sweep(tmp_path, "-m", "num_keys=1,2,3", "adapter=mock", "data_size_kb=64")
    wait_for(lambda: recorded(tmp_path) or None)
    server = wait_for(lambda: fork_server_of(process.pid))
    os.kill(server, signal.SIGSTOP)
    _, err = process.communicate(timeout=90)  # killed only by the launcher
    assert (process.returncode, err) == (0, "")
    assert command_line(server) == ""
    assert l2sweep.load_points(tmp_path / "results")["status"].tolist() == ["ok"] * 3


@pytest.mark.parametrize("number", range(KILLS))
def test_a_server_dies_at_once_with_a_launcher_that_is_killed_early(tmp_path: Path, number: int) -> None:
    launcher = subprocess.Popen(
        [sys.executable, "-m", "l2sweep", *GRID, "adapter=mock"],
        cwd=tmp_path,
        env=l2sweep_environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = wait_for(lambda: next(iter(children(launcher.pid)), None))
    time.sleep(random.Random(number).uniform(0, 0.15))
    launcher.kill()
    launcher.wait()
    time.sleep(1)
    assert "fork_server" not in command_line(server)
