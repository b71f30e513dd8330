"""Files in folders that other users can write to."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from l2sweep.config.sweep import SweepId
from l2sweep.records import trusted_files
from l2sweep.records.trusted_files import (
    UntrustedFileError,
    create_new,
    is_sweep_id,
    open_regular,
    read_trusted,
)

NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file as l2sweep writes it: sweeps/ID/manifest.json."""
    path = tmp_path / "sweeps" / "one" / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    for part in (path, path.parent, path.parent.parent, tmp_path):
        part.chmod(0o755)
    return path


def reason(path: Path, below: Path) -> str:
    with pytest.raises(UntrustedFileError) as caught:
        read_trusted(path, below)
    assert str(path) in str(caught.value)
    return caught.value.reason


def test_own_files_are_read(file: Path, tmp_path: Path) -> None:
    assert read_trusted(file, tmp_path) == b"{}"


def test_a_results_folder_that_the_user_linked_is_read(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert read_trusted(link / "sweeps" / "one" / "manifest.json", link) == b"{}"


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_every_user_can_write_is_ignored(file: Path, tmp_path: Path, mode: int) -> None:
    file.chmod(mode)
    assert reason(file, tmp_path) == "every user can write to it"


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_file_below_a_folder_that_every_user_can_write_is_ignored(
    file: Path, tmp_path: Path, depth: int
) -> None:
    file.parents[depth].chmod(0o777)
    assert "every user can write to it" in reason(file, tmp_path)


def test_a_sticky_folder_is_trusted_only_above_the_own_folder_of_the_file(file: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert read_trusted(file, tmp_path) == b"{}"
    file.parent.chmod(0o1777)
    assert "every user can write to it" in reason(file, tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
@pytest.mark.parametrize("part", ["sweeps", "sweeps/one", "sweeps/one/manifest.json"])
def test_what_belongs_to_another_user_is_ignored(file: Path, tmp_path: Path, part: str) -> None:
    os.chown(tmp_path / part, NOBODY, NOBODY)
    assert "belongs to user 65534" in reason(file, tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another group")
def test_only_the_private_group_of_the_user_may_write(file: Path, tmp_path: Path) -> None:
    file.chmod(0o664)
    assert read_trusted(file, tmp_path) == b"{}"
    os.chown(file, 0, NOBODY)
    assert reason(file, tmp_path) == "group 65534 can write to it"


def test_links_are_not_followed(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    file.rename(other)
    file.symlink_to(other)
    assert reason(file, tmp_path) == "it is a symbolic link"


def test_a_linked_folder_is_not_followed(file: Path, tmp_path: Path) -> None:
    moved = file.parent.rename(tmp_path / "moved")
    file.parent.symlink_to(moved)
    assert "it is a symbolic link" in reason(file, tmp_path)


def test_a_fifo_does_not_block(file: Path, tmp_path: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)
    assert reason(file, tmp_path) == "it is not a regular file"


def test_a_huge_file_is_not_read(file: Path, tmp_path: Path) -> None:
    os.truncate(file, 1 << 40)
    assert "at most" in reason(file, tmp_path)


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    with create_new(tmp_path / "new") as created:
        created.write(b"content")
    with pytest.raises(FileExistsError):
        create_new(tmp_path / "new")
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    with pytest.raises(FileExistsError):
        create_new(tmp_path / "link")
    assert not (tmp_path / "missing").exists()


def test_open_regular_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    with pytest.raises(UntrustedFileError):
        open_regular(tmp_path / "link", os.O_RDWR | os.O_CREAT)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("name", ["20261125T010203Z-ab12", "nightly.2", "a"])
def test_ordinary_ids_are_accepted(name: str) -> None:
    assert is_sweep_id(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../precious", "a/b", "_x", "/a", "-a", ".a", "a\n", "a\0", "x" * 300, None, 3, "latest"],
)
def test_what_could_leave_a_folder_is_no_id(name: object) -> None:
    assert not is_sweep_id(name)


def test_the_option_sweep_id_takes_the_same_ids() -> None:
    (field,) = SweepId.__metadata__
    (pattern,) = (part.pattern for part in field.metadata)
    assert re.compile(pattern.strip("^$")) == trusted_files._SWEEP_ID
