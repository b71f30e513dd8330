"""Interrupts that decide about the exit code of an interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PROGRAM = """
import os, signal, sys
from l2sweep import interrupts

with interrupts.handled(lambda: os._exit(99)), interrupts.deferred():
    try:
        with interrupts.interruptible():
            exec("os.kill(os.getpid(), signal.SIGTERM)")
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_an_interrupt_inside_exec_does_not_change_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "stopped.py").write_text(PROGRAM)  # CPython treats a plain KeyboardInterrupt so with -m only
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    assert subprocess.run([sys.executable, "-m", "stopped"], env=environment).returncode == 130


ENDING = """
import atexit, os, sys
from l2sweep.__main__ import run

atexit.register(os.kill, os.getpid(), int(sys.argv.pop(1)))
run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_interpreter_ends_does_not_change_the_exit_code(number: signal.Signals) -> None:
    command = [sys.executable, "-c", ENDING, str(int(number)), "status", "--help"]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")
