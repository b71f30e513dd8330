"""Tests of l2sweep.cli.commands.clean."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fake_starter import ACCEPTED, Answer, FakeStarter
from shipped import point

from l2sweep.bench.messages import Finished
from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError
from l2sweep.records.owner import Host
from l2sweep.sweep.state.journal import JournalEntry, journal_file

FS = {"type": "fs", "base_path": "/no/such/folder"}
PLUGIN = {"type": "plugin", "module_path": "mine", "class_name": "Mine"}


@pytest.fixture(autouse=True)
def no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "lock"))
    monkeypatch.delenv("L2_ADAPTER_JSON", raising=False)


def abandon(results_dir: Path, sweep_id: str, spec: dict[str, Any] = FS, python: str | None = None) -> Path:
    """Write the journal of a launcher that died while its point kept its data."""
    job = point(adapter=spec, keep_data=True).job(f"{sweep_id}-0-1-0a0a0a")
    file = journal_file(results_dir / "sweeps" / sweep_id, 0, 1, "0a0a0a")
    file.parent.mkdir(parents=True)
    file.write_text(JournalEntry(Host.here(), job, python).to_json())
    return file


def run_clean(arguments: list[str], starter: FakeStarter | None = None) -> int:
    return run_command(["clean", *arguments], starter)  # type: ignore[arg-type]


@pytest.fixture
def starter() -> FakeStarter:
    return FakeStarter(lambda _: Answer([ACCEPTED, Finished(0, "", 1, keys_removed=True)]))


def test_kept_keys_of_runs_that_died_are_removed(
    tmp_path: Path, starter: FakeStarter, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [abandon(tmp_path, sweep_id) for sweep_id in ("a", "b")]
    assert run_clean([f"--results-dir={tmp_path}"], starter) == 0
    assert capsys.readouterr().out.count("left by an earlier run, were removed") == 2
    assert [job.delete_after for job in starter.jobs] == [True, True]
    assert not any(file.exists() for file in files)


def test_only_the_keys_of_one_sweep_are_removed(tmp_path: Path, starter: FakeStarter) -> None:
    a, b = abandon(tmp_path, "a"), abandon(tmp_path, "b")
    assert run_clean([f"--results-dir={tmp_path}", "--sweep-id=b"], starter) == 0
    assert (a.exists(), b.exists()) == (True, False)


def test_an_adapter_that_runs_code_is_created_only_if_it_is_given(
    tmp_path: Path, starter: FakeStarter, capsys: pytest.CaptureFixture[str]
) -> None:
    file = abandon(tmp_path, "a", PLUGIN)
    assert run_clean([f"--results-dir={tmp_path}"], starter) == 1
    assert "its adapter may run code" in capsys.readouterr().out
    assert (starter.jobs, file.exists()) == ([], True)
    assert run_clean([f"--results-dir={tmp_path}", f"--adapter-json={json.dumps(PLUGIN)}"], starter) == 0
    assert [job.adapter_spec for job in starter.jobs] == [PLUGIN]


def test_the_adapter_may_be_given_in_the_environment(
    tmp_path: Path, starter: FakeStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandon(tmp_path, "a", PLUGIN)
    monkeypatch.setenv("L2_ADAPTER_JSON", json.dumps(PLUGIN))
    assert run_clean([f"--results-dir={tmp_path}"], starter) == 0


def test_the_interpreter_is_the_one_that_is_given(tmp_path: Path, starter: FakeStarter) -> None:
    abandon(tmp_path, "a", python=sys.executable)
    assert run_clean([f"--results-dir={tmp_path}", f"--python={sys.executable}"], starter) == 0
    assert [limits.python for limits in starter.limits] == [sys.executable]


def test_nothing_to_remove_is_said(
    tmp_path: Path, starter: FakeStarter, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweeps").mkdir()
    assert run_clean([f"--results-dir={tmp_path}"], starter) == 0
    assert capsys.readouterr().out == "no keys of runs that died were found\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--results-dir={tmp_path}/missing"], "clean: --results-dir {tmp_path}/missing: contains no sweep"),
        (["--sweep-id=../x"], "clean: --sweep-id ../x: must be"),
        (["--python=/bin/ls"], "clean: --python /bin/ls: must be Python 3.11 or later"),
        (["--adapter-json=x"], "adapter_json: must be a JSON object"),
        (["sweep_id=x"], "clean: sweep_id=x: an option of a command is given with dashes: --sweep-id x"),
    ],
)
def test_a_wrong_argument_is_refused(tmp_path: Path, arguments: list[str], problem: str) -> None:
    (tmp_path / "sweeps").mkdir()
    given = [f"--results-dir={tmp_path}", *(one.format(tmp_path=tmp_path) for one in arguments)]
    with pytest.raises(RequestError) as refused:
        run_clean(given)
    assert problem.format(tmp_path=tmp_path) in str(refused.value)
