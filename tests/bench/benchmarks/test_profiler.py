"""The profiler of a benchmark process: when it runs, and when it cannot be used."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from small_job import mock_spec, small_job

from l2sweep.bench.benchmarks.profiler import profiled, why_not_allowed
from l2sweep.bench.messages import Message
from l2sweep.errors import RequestError

WALL = replace(small_job(mock_spec()), profile_mode="wall")


def ignore(message: Message) -> None:
    """Take a message."""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder in which programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    return tmp_path


def install(folder: Path, name: str, script: str = "exit 0") -> None:
    """Make a program of one line."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def refusal(**changes: object) -> str:
    job = replace(WALL, phases=(), delete_after=False, **changes)  # type: ignore[arg-type]
    assert job.only_checks_spec
    with pytest.raises(RequestError) as refused, profiled(job, ignore):
        pass
    (problem,) = refused.value.problems
    return problem


def test_without_a_profiler_the_messages_go_the_usual_way() -> None:
    with profiled(replace(WALL, profile_mode=""), ignore) as report:
        assert report is ignore


def test_a_process_that_only_deletes_keys_needs_no_profiler(tools: Path) -> None:
    with profiled(replace(WALL, phases=()), ignore) as report:
        assert report is ignore


def test_a_missing_tool_is_named(tools: Path) -> None:
    for mode, tool in (("wall", "py-spy"), ("gil", "py-spy"), ("on-cpu", "perf"), ("off-cpu", "sudo")):
        problem = refusal(profile_mode=mode)
        assert problem.startswith(f"profile_mode={mode}: cannot be used here: {tool} not found")


def test_missing_scripts_are_named_and_not_downloaded(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmcache.cli.profiling._check_perf_paranoid", lambda: None)
    install(tools, "perf")
    folder = tools / "scripts"
    problem = refusal(profile_mode="on-cpu", profile_scripts_dir=str(folder))
    assert problem.startswith(f"profile_scripts_dir={folder}: must be a folder with flamegraph.pl and stack")
    folder.mkdir()
    install(folder, "flamegraph.pl")
    problem = refusal(profile_mode="on-cpu", profile_scripts_dir=str(folder))
    assert "must be a folder with stackcollapse-perf.pl" in problem
    install(folder, "stackcollapse-perf.pl")
    assert "perl is not installed" in refusal(profile_mode="on-cpu", profile_scripts_dir=str(folder))


def test_a_profiler_that_may_not_sample_is_refused_with_its_first_line(tools: Path) -> None:
    install(tools, "py-spy", "echo 'Permission Denied: Try sudo' >&2; echo more >&2; exit 1")
    assert refusal() == "profile_mode=wall: is not allowed here: Permission Denied: Try sudo"
    install(tools, "py-spy", "exit 3")
    assert why_not_allowed("gil") == "exit code 3"


def test_a_profiler_beside_the_interpreter_is_found(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools, "py-spy")
    monkeypatch.setenv("PATH", "/nowhere")
    with profiled(WALL, ignore) as report:
        assert report is not ignore
    assert os.environ["PATH"].split(os.pathsep)[0] == str(tools)
