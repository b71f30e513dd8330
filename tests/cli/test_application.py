"""The command: which module runs, and which exit code an error means."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.cli import sweep
from l2sweep.cli.application import main
from l2sweep.errors import STOPPED, BenchError


def test_a_wrong_request_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["dry_run=true", "num_keys=0"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "l2sweep: num_keys=0: must be an integer from 1 to 1000000000\n"
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def raising(error: BaseException) -> object:
    def run(*_: object) -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "exit_code", "line"),
    [
        (BenchError("it broke"), 1, "l2sweep: it broke\n"),
        (KeyboardInterrupt(), STOPPED, "l2sweep: stopped by the user\n"),
        (SystemExit(7), 7, ""),
        (SystemExit(None), 0, ""),
    ],
)
def test_whatever_is_raised_becomes_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    exit_code: int,
    line: str,
) -> None:
    monkeypatch.setattr(sweep, "run_sweep_command", raising(error))
    assert main(["num_keys=1"]) == exit_code
    assert capsys.readouterr().err == line


def test_a_credential_of_the_command_line_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep, "run_sweep_command", raising(BenchError("refused: hunter22")))
    assert main(["+adapter.password=hunter22"]) == 1
    assert capsys.readouterr().err == "l2sweep: refused: ***\n"


def test_a_traceback_is_printed_only_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sweep, "run_sweep_command", raising(BenchError("it broke")))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    main(["num_keys=1"])
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.delenv("HYDRA_FULL_ERROR")
    main(["num_keys=1"])
    assert "Traceback" not in capsys.readouterr().err
