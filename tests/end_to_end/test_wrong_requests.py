"""A wrong request is refused before anything happens: exit code 2, one line, no file touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import RunL2Sweep
from hostile_requests import HOSTILE
from wrong_requests import AS_PROCESS, PREPARED, SECRET, TRACED, WRONG, Case


@dataclass(frozen=True)
class Outcome:
    """What a request did. ``touched``: each path that is new, gone or changed."""

    exit_code: int
    stdout: str
    stderr: str
    touched: Sequence[str]


@pytest.mark.parametrize("case", [*WRONG, *HOSTILE], ids=lambda case: case.name)
def test_a_wrong_request_prints_one_line_and_touches_nothing(
    case: Case, run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    outcome = outcome_of(case, run_l2sweep, tmp_path)

    assert (outcome.exit_code, outcome.stdout) == (2, ""), outcome
    assert outcome.stderr.startswith("l2sweep: ")
    assert outcome.stderr.endswith("\n")
    line = outcome.stderr[:-1]
    assert line.isprintable(), f"a line break or another control character: {line!r}"
    assert "Traceback" not in line
    assert "internal error" not in line
    assert len(line) < 5000
    assert SECRET not in line
    assert missing(case.words, line) == [], line
    assert outcome.touched == []


@pytest.mark.parametrize("case", TRACED, ids=lambda case: case.name)
def test_the_traceback_is_shown_on_request_and_without_credentials(
    case: Case, run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    outcome = outcome_of(case, run_l2sweep, tmp_path)

    assert (outcome.exit_code, outcome.stdout) == (2, ""), outcome
    assert "Traceback (most recent call last)" in outcome.stderr
    last_line = outcome.stderr.splitlines()[-1]
    assert last_line.startswith("l2sweep: ")
    assert missing(case.words, last_line) == [], last_line
    assert SECRET not in outcome.stderr
    assert outcome.touched == []


@pytest.mark.parametrize("case", AS_PROCESS, ids=lambda case: case.name)
def test_a_process_refuses_in_the_same_way(
    case: Case, run_l2sweep: RunL2Sweep, run_l2sweep_process: RunL2Sweep, tmp_path: Path
) -> None:
    process = outcome_of(case, run_l2sweep_process, tmp_path / "process")
    function = outcome_of(case, run_l2sweep, tmp_path / "function")
    assert (process.exit_code, process.stdout, process.touched) == (2, "", [])
    assert SECRET not in process.stderr
    assert process.stderr.splitlines()[-1] == function.stderr.splitlines()[-1]
    assert ("Traceback" in process.stderr) == ("Traceback" in function.stderr)
    assert "Traceback" in process.stderr or len(process.stderr.splitlines()) == 1


def outcome_of(case: Case, run: RunL2Sweep, folder: Path) -> Outcome:
    """Run a request in a prepared folder."""
    working, elsewhere = folder / "working", folder / "elsewhere"
    elsewhere.mkdir(parents=True)
    for path, content in PREPARED.items():
        (working / path).parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            (working / path).symlink_to(content.removeprefix("-> "))
        else:
            (working / path).write_text(content)
    before = tree(folder)
    places = {"HOME": str(elsewhere), "TMPDIR": str(elsewhere)}
    done = run(*case.arguments, cwd=working, **places, **case.environment)
    after = tree(folder)
    touched = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    return Outcome(done.exit_code, done.out, done.err, touched)


def tree(folder: Path) -> dict[str, object]:
    """Return each path below a folder, with its content and the time of its last change."""
    return {str(path.relative_to(folder)): state(path) for path in folder.rglob("*")}


def state(path: Path) -> object:
    if path.is_symlink():
        return path.readlink()
    return (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else "folder"


def missing(words: str, line: str) -> list[str]:
    """Return the words that a line does not contain as separate words: 1.5 does not contain 1."""
    return [
        word
        for word in words.split()
        if not re.search(rf"(?<![\w-])(?<!\d\.){re.escape(word)}(?!\w|\.\d)", line)
    ]
