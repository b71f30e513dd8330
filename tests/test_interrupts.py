"""Ctrl-C: raised where something is waited for, and nowhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PREAMBLE = """
import contextlib, os, signal
from l2sweep import interrupts
handling = contextlib.ExitStack()
handling.enter_context(interrupts.handled(lambda: os._exit(99)))
def press(): os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("try: press()\nexcept KeyboardInterrupt: print('raised')", "raised"),
        ("with interrupts.deferred(): press(); print('kept', interrupts.requested())", "kept True"),
        (
            "with interrupts.deferred():\n"
            "    try:\n"
            "        with interrupts.interruptible(): press()\n"
            "    except KeyboardInterrupt: print('raised')",
            "raised",
        ),
        (
            "with interrupts.deferred():\n"
            "    press()\n"
            "    print('kept')\n"
            "    try:\n"
            "        with interrupts.interruptible(): print('not reached')\n"
            "    except KeyboardInterrupt: print('raised')\n"
            "    with interrupts.interruptible(): print('once')",
            "kept\nraised\nonce",
        ),
    ],
)
def test_an_interrupt_is_raised_where_it_is_waited_and_once(code: str, printed: str) -> None:
    done = run(code)
    assert (done.returncode, done.stdout.strip()) == (0, printed)


def test_an_interrupt_within_exec_leaves_the_exit_code_to_us(tmp_path: Path) -> None:
    code = "import sys\ntry: exec('press()')\nexcept KeyboardInterrupt: sys.exit(130)"
    (tmp_path / "stopped.py").write_text(PREAMBLE + code)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    assert subprocess.run([sys.executable, "-m", "stopped"], env=environment).returncode == 130


def test_a_second_interrupt_leaves_whatever_is_deferred() -> None:
    assert run("with interrupts.deferred(): press(); press(); print('not reached')").returncode == 99


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PREAMBLE + code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
