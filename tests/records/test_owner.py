"""Tests of l2sweep.records.owner."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from l2sweep.records.owner import Host, is_held, open_held

HERE = Host("bench-1", "1" * 32, "boot-1")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "here", lambda: HERE)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        (HERE, True),
        (Host("container", "", "boot-1"), True),  # another container on this kernel
        (Host("bench-1", "1" * 32, "boot-0"), True),  # this host, before a reboot
        (Host("bench-2", "1" * 32, "boot-2"), False),  # another machine with a copy of this system
        (Host("bench-1", "2" * 32, "boot-2"), False),
        (Host("bench-1", "", "boot-2"), False),
    ],
)
def test_a_host_is_here_if_its_processes_can_be_checked(host: Host, is_here: bool) -> None:
    assert host.is_here == is_here


def test_a_host_without_machine_id_is_only_known_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "here", lambda: Host("container", "", "boot-1"))
    assert not Host("container", "", "boot-0").is_here


def test_this_host_has_a_name_and_a_boot_id() -> None:
    assert Host.here().name
    assert Host.here().boot_id
    assert Host.here().is_here


def test_a_file_is_held_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open_held(path) as file:
        file.write(b"content")
        assert is_held(path)
    assert not is_held(path)
    assert path.read_bytes() == b"content"


def test_opening_an_existing_file_truncates_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old content")
    open_held(path).close()
    assert path.read_bytes() == b""


def test_a_missing_or_unreadable_file_counts_as_held(tmp_path: Path) -> None:
    assert is_held(tmp_path / "missing")
    assert is_held(tmp_path)  # a folder cannot be opened


def test_a_file_that_is_removed_before_it_is_locked_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    flock = fcntl.flock
    removed: list[Path] = []

    def remove_first(file: Any, operation: int) -> None:
        if not removed:
            path.unlink()
            removed.append(path)
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with open_held(path) as file:
        file.write(b"content")
    assert path.read_bytes() == b"content"


def test_a_file_system_without_locks_is_used_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with open_held(tmp_path / "file"):
        pass
    assert is_held(tmp_path / "file")  # unknown, so it must not be removed
