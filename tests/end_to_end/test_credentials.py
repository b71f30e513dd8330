"""hide_from_process_list() changes the command line of a process, so each test starts one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from conftest import ROOT

PROGRAM = """
import sys
from l2sweep.credentials import hide_from_process_list

hide_from_process_list({sys.argv[1].partition("=")[2]})
sys.stdout.buffer.write(open("/proc/self/cmdline", "rb").read())
"""


def command_line_after_hiding(*arguments: str | bytes) -> bytes:
    """Return the command line of a process that has hidden the value of its first argument."""
    command: Sequence[str | bytes] = [sys.executable, "-c", PROGRAM, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def test_a_secret_is_overwritten_in_the_process_list_and_the_rest_stays() -> None:
    shown = command_line_after_hiding("adapter.password=hunter2", "num_keys=8", "x=hunter2hunter2")
    assert b"hunter2" not in shown
    assert b"adapter.password=*******\0" in shown
    assert b"num_keys=8\0" in shown


def test_a_secret_that_is_not_utf_8_is_overwritten_in_the_process_list() -> None:
    assert b"hunter2" not in command_line_after_hiding(b"adapter.password=\xff\xfehunter2")
