"""Completion in bash, for the command and for the module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import l2sweep_environment

SCRIPT = """
eval "$(python -m l2sweep --shell-completion install=bash)"
COMP_LINE="$1"
COMP_POINT=${#COMP_LINE}
read -r -a COMP_WORDS <<<"$COMP_LINE"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_l2sweep_completion
echo "${COMPREPLY[*]}"
"""


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("python -m l2sweep num_", "num_keys="),
        (
            "python -m l2sweep -m adapter=fs_n",
            "adapter=fs_native adapter=fs_native_16 adapter=fs_native_4 adapter=fs_native_64",
        ),
        ("l2sweep adapter=fi", "adapter=fio"),
        ("l2sweep sta", "status"),
        ("l2sweep night --keep-", "--keep-nights --keep-gb"),
        ("python -m l2sweep night --sweep", "--sweep-id"),
        ("python another.py num_", ""),
    ],
)
def test_options_and_choices_are_completed(tmp_path: Path, line: str, completed: str) -> None:
    command = tmp_path / "l2sweep"
    command.write_text('#!/bin/sh\nexec python -m l2sweep "$@"\n')
    command.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = l2sweep_environment(tmp_path, PATH=path)
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", line], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == completed, done.stderr
