"""Ctrl-C: once, what was measured is kept; twice, at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, children, command_line


def test_a_second_interrupt_leaves_at_once(tmp_path: Path, faulty: Callable[[str], str]) -> None:
    command = [sys.executable, "-m", "l2sweep", "-m", faulty("StubbornStore"), "num_keys=2,4", "rounds=3"]
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "adapters")])
    environment = {**os.environ, "PYTHONPATH": python_path, "FAULT_AT": "2", "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
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


def ignores_sigterm(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    ignored = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
    return bool(ignored >> (signal.SIGTERM - 1) & 1)


def wait_for(look: Callable[[], int | None]) -> int:
    for _ in range(1200):
        if (found := look()) is not None:
            return found
        time.sleep(0.05)
    pytest.fail("it did not happen within a minute")
