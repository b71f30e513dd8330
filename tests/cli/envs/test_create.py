"""Environments are added whole or not at all. What uv does is replaced; test_releases.py runs it."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from l2sweep.cli.command_group import run_command
from l2sweep.cli.envs import create
from l2sweep.cli.envs.create import Added, add_environment
from l2sweep.config import releases
from l2sweep.config.releases import FOLDER_VARIABLE
from l2sweep.errors import BenchError, RequestError


class Uv:
    """Does what uv does, as far as a test needs it."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.error: Exception | None = None

    def __call__(self, command: list[str], release: str) -> None:
        self.commands.append(command)
        if command[1] == "venv":
            (Path(command[-1]) / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        elif self.error is not None:
            raise self.error


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Uv:
    fake = Uv()
    monkeypatch.setattr(create, "_run", fake)
    monkeypatch.setattr(create, "_uv", lambda: "uv")
    monkeypatch.setattr(releases, "lmcache_version", lambda: "0.5.6")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache" / "envs"))
    return fake


def test_only_lmcache_is_installed_and_the_rest_comes_from_here(uv: Uv, tmp_path: Path) -> None:
    assert add_environment("0.5.3") is Added.NEW
    folder = tmp_path / "cache" / "envs"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert uv.commands[1][-1] == "lmcache==0.5.3"
    assert "--no-deps" in uv.commands[1]
    (pth,) = (folder / "0.5.3").rglob("*.pth")
    own = next(path for path in sys.path if path.endswith("site-packages"))
    assert f"site.addsitedir({own!r})" in pth.read_text()
    assert [path.name for path in folder.iterdir()] == ["0.5.3"]


def test_what_is_there_is_not_made_again(uv: Uv) -> None:
    add_environment("0.5.3")
    made = len(uv.commands)
    assert (add_environment("0.5.3"), add_environment("0.5.6")) == (Added.BEFORE, Added.INSTALLED)
    assert len(uv.commands) == made


@pytest.mark.parametrize("error", [BenchError("no network"), KeyboardInterrupt()])
def test_nothing_is_left_of_an_environment_that_was_not_completed(
    uv: Uv, tmp_path: Path, error: Exception
) -> None:
    uv.error = error
    with pytest.raises(type(error)):
        add_environment("0.5.3")
    assert list((tmp_path / "cache" / "envs").iterdir()) == []


def test_a_folder_that_others_can_write_to_is_refused(uv: Uv, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "envs"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(RequestError, match="must be a folder that only you can write to: every user can"):
        add_environment("0.5.3")
    assert uv.commands == []


def test_the_environments_are_listed_in_the_order_of_their_releases_and_removed(
    uv: Uv, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["envs", "add", "0.5.10", "0.5.7", "0.5.7rc2", "0.5.6"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0.5.6: is installed and needs no environment"
    assert run_command(["envs", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["release", "0.5.6", "0.5.7rc2", "0.5.7", "0.5.10"]
    assert "installed" in lines[1]
    assert "broken: it cannot be started" in lines[2]  # the fake uv makes no interpreter
    with pytest.raises(
        RequestError, match=r"envs: 0.5.1: has no environment in .*; added: 0.5.7rc2, 0.5.7, "
    ):
        run_command(["envs", "remove", "0.5.7", "0.5.1"])
    assert run_command(["envs", "remove", "0.5.7"]) == 0
    assert sorted(path.name for path in (tmp_path / "cache" / "envs").iterdir()) == ["0.5.10", "0.5.7rc2"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["add"], "^envs: RELEASE...: must be given; see --help$"),
        (["add", "../x"], "^envs: RELEASE...: '../x' must be a release of LMCache such as 0.5.3$"),
        ([], "^envs: missing command; see --help$"),
        (["upgrade"], "^envs: no such command 'upgrade'; see --help$"),
    ],
)
def test_a_wrong_argument_is_one_line(uv: Uv, arguments: list[str], line: str) -> None:
    with pytest.raises(RequestError, match=line):
        run_command(["envs", *arguments])
