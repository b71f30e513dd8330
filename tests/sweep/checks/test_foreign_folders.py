"""Root does not write into folders that another user prepared."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from l2sweep.errors import RequestError
from l2sweep.records.storage.layout import date_name
from l2sweep.sweep.checks.foreign_folders import require_own_folders

TODAY = f"rounds/{date_name(datetime.now(UTC))}"
NAMES = ("sweeps", "rounds", "points", TODAY)

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")


@only_root
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_another_user_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir(parents=True)
    os.chown(tmp_path / name, 65534, 65534)
    with pytest.raises(RequestError, match=f"results_dir={tmp_path}: must .*{name} belongs to user 65534"):
        require_own_folders(str(tmp_path))


@only_root
@pytest.mark.parametrize("name", NAMES)
def test_a_link_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to("/nowhere")
    with pytest.raises(RequestError, match=f"{name} is a symbolic link"):
        require_own_folders(str(tmp_path))


def test_own_folders_and_missing_folders_are_accepted(tmp_path: Path) -> None:
    require_own_folders(str(tmp_path / "missing"))
    for name in NAMES:
        (tmp_path / name).mkdir(parents=True)
    require_own_folders(str(tmp_path))


def test_another_user_than_root_needs_no_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sweeps").symlink_to("/nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    require_own_folders(str(tmp_path))
