"""The folders from which plugins are imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shipped import point

from l2sweep.sweep.plugin_folders import plugin_folders


def plugin(module: str) -> dict[str, Any]:
    return {"type": "plugin", "module_path": module, "class_name": "Mine", "adapter_params": {}}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_plugin_is_found_beside_the_configuration_and_in_the_current_folder(
    here: Path, tmp_path: Path
) -> None:
    conf = tmp_path / "conf"
    (conf / "mine").mkdir(parents=True)
    points = [point(adapter=plugin("mine.adapters"))]
    assert plugin_folders(points, conf) == (str(conf),)
    (here / "mine.py").touch()
    assert plugin_folders(points, conf) == (str(conf), str(here))


def test_a_plugin_inside_another_spec_is_found(here: Path) -> None:
    (here / "mine.py").touch()
    assert plugin_folders([point(adapter={"type": "fault_inject", "inner": plugin("mine")})], here) == (
        str(here),
    )


@pytest.mark.parametrize("module", ["other", "../mine", "", "mine/x"])
def test_a_folder_without_the_module_is_not_searched(here: Path, module: str) -> None:
    (here / "mine.py").touch()
    (here.parent / "mine.py").touch()
    assert plugin_folders([point(), point(adapter=plugin(module))], here) == ()


@pytest.mark.parametrize("of_folder", [True, False])
def test_what_another_user_could_have_written_is_left_out(here: Path, of_folder: bool) -> None:
    (here / "mine.py").touch()
    (here if of_folder else here / "mine.py").chmod(0o777)
    assert plugin_folders([point(adapter=plugin("mine"))], here) == ()
