"""Another interpreter is probed before a benchmark process is started with it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from l2sweep.sweep.checks import interpreter
from l2sweep.sweep.checks.interpreter import interpreter_problems


def problems(python: str | None) -> list[str]:
    return interpreter_problems([python])


def script(folder: Path, body: str) -> str:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return str(file)


def test_the_running_interpreter_can_be_used() -> None:
    assert problems(None) == problems(sys.executable) == []


@pytest.mark.parametrize("python", ["/bin/ls", "/bin/true", "/usr/bin/yes"])
def test_a_program_that_is_no_python_is_refused(python: str) -> None:
    (problem,) = problems(python)
    assert problem.startswith(f"python={python}: must be Python 3.11 or later with numpy, torch, lmcache (")
    assert "does not run Python code" in problem


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ('{"version": [3, 9, 1], "missing": []}', "it is Python 3.9.1"),
        ('{"version": [3, 11, 0], "missing": ["torch"]}', "it cannot import torch"),
        ('{"version": 5, "missing": []}', "does not run Python code"),
        ("[]", "does not run Python code"),
    ],
)
def test_the_reason_is_named(tmp_path: Path, printed: str, reason: str) -> None:
    assert reason in problems(script(tmp_path, f"echo '{printed}'"))[0]


def test_a_program_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_PROBE_S", 0.05)
    assert "did not end" in problems(script(tmp_path, "exec sleep 1000"))[0]


def test_a_file_that_cannot_be_executed_is_refused(tmp_path: Path) -> None:
    assert "cannot be started" in problems(str(tmp_path))[0]
