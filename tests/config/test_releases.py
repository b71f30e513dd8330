"""The option ``release``: the installed LMCache, or an environment, or one line that says how to add it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from shipped import point

from l2sweep.config import releases
from l2sweep.config.releases import FOLDER_VARIABLE, environments_folder
from l2sweep.errors import RequestError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder of environments, beside an installed 0.5.6."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(releases, "lmcache_version", lambda: "0.5.6")
    return tmp_path


def add(folder: Path, release: str) -> str:
    interpreter = folder / release / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.symlink_to(sys.executable)
    return str(interpreter)


def test_a_release_is_measured_with_the_interpreter_of_its_environment(folder: Path) -> None:
    interpreter = add(folder, "0.5.7rc2")
    assert point(release="0.5.7rc2").python == interpreter
    assert point(release="0.5.7rc2").release == "0.5.7rc2"


def test_the_installed_release_needs_no_environment() -> None:
    assert point(release="0.5.6").python == sys.executable


def test_no_release_changes_nothing() -> None:
    assert (point().release, point().python) == (None, None)


def test_a_release_does_not_change_the_identity_of_a_point(folder: Path) -> None:
    add(folder, "0.5.3")
    assert point(release="0.5.3").point_id == point(release="0.5.6").point_id == point().point_id


def test_a_release_without_an_environment_is_one_line_with_the_command_that_adds_it() -> None:
    with pytest.raises(RequestError) as refused:
        point(release="0.5.3")
    assert str(refused.value) == ("release=0.5.3: has no environment yet; to add one: l2sweep envs add 0.5.3")


def test_a_release_and_another_interpreter_are_refused_together() -> None:
    with pytest.raises(
        RequestError, match=r"^release=0.5.6: cannot be given with python=.*, which has an LMC"
    ):
        point(release="0.5.6", python=sys.executable)


@pytest.mark.parametrize("text", ["../0.5.3", "0.5", "latest", "", "0.5.3/x", "0.5.3\n", ".5.3", "0.5.3+cpu"])
def test_what_cannot_be_a_release_is_refused_before_a_folder_is_looked_at(text: str) -> None:
    if text == "0.5":  # a release, of which there is none
        text = 0.5  # type: ignore[assignment]  # as YAML reads it
    with pytest.raises(RequestError, match=r"must be a release of LMCache such as 0\.5\.3, or null"):
        point(release=text)


def test_the_environments_are_in_the_folder_for_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/me")
    assert environments_folder() == Path("/var/cache/me/l2sweep/envs")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert environments_folder() == Path("/home/me/.cache/l2sweep/envs")
