"""The folders of servers: those that nobody uses are removed, and nothing else."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from l2sweep.records.trusted_files import UntrustedFileError
from l2sweep.services.folders import ServerFolder, remove_abandoned
from l2sweep.services.watcher import OUTSIDE


def test_a_folder_is_removed_only_after_its_lock_is_released(tmp_path: Path) -> None:
    below = tmp_path / "scratch"
    folder = ServerFolder.make(below)
    (folder.data / "file").write_text("data")
    remove_abandoned(below)
    assert folder.data.exists()
    folder.lock.close()
    remove_abandoned(below)
    assert not below.exists()


def test_what_is_not_the_folder_of_a_server_stays(tmp_path: Path) -> None:
    own = tmp_path / "service-of-mine"
    own.mkdir(mode=0o700)
    (own / "lock").write_text("")
    elsewhere = tmp_path / "elsewhere"
    (folder := ServerFolder.make(elsewhere)).lock.close()
    (tmp_path / "service-link").symlink_to(folder.path)
    (readable := ServerFolder.make(tmp_path)).lock.close()
    readable.path.chmod(0o755)
    remove_abandoned(tmp_path)
    assert own.exists()
    assert folder.path.exists()
    assert readable.path.exists()


def test_no_folder_is_made_where_another_user_could_replace_it(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(UntrustedFileError, match="every user can write to it"):
        ServerFolder.make(shared / "results" / "scratch")
    assert list(shared.iterdir()) == []
    shared.chmod(0o1777)  # others can add files, and not replace those of this user
    ServerFolder.make(shared / "results" / "scratch").lock.close()


def test_a_folder_that_does_not_exist_has_nothing_to_remove(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "none")


def test_sockets_elsewhere_are_removed_and_no_other_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    (folder := ServerFolder.make(tmp_path / "scratch")).lock.close()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
    folder.write_private(OUTSIDE, f"{tmp_path}/none\n{tmp_path}/socket\n{file}")
    remove_abandoned(tmp_path / "scratch")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
