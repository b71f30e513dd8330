"""--help explains the options without Hydra."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.cli.application import main
from l2sweep.config.reference import every_option


def test_help_explains_options_groups_flags_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "  num_keys=32 " in out
    assert "keys in one submit" in out
    assert "  adapter       aerospike, bigtable, control, dax," in out
    assert "raw_block_posix" in out
    assert all(len(line) <= 110 for line in out.partition("Config groups")[2].splitlines())
    assert "--multirun, -m" in out
    assert "Exit codes: 0 everything was measured" in out
    assert "--help-all" in out
    assert "l1_align_bytes=" not in out


def test_help_all_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help-all"]) == 0
    out = capsys.readouterr().out
    for option in every_option():
        assert f"  {option.name}=" in out


def test_the_users_own_experiments_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").touch()
    assert main(["--help", "--config-dir", str(tmp_path)]) == 0
    assert "long_context, mine, nightly_cold" in capsys.readouterr().out


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("l2sweep 0.")
