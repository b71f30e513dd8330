"""Tests of l2sweep.records.owner."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from l2sweep.records import owner as owner_module
from l2sweep.records.owner import Host, Owner, is_at, is_held, open_held, try_lock

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


def test_an_existing_file_is_neither_opened_nor_truncated(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old content")
    link.symlink_to(path)
    for existing in (path, link):
        with pytest.raises(FileExistsError):
            open_held(existing)
    assert path.read_bytes() == b"old content"


def test_a_missing_file_counts_as_held(tmp_path: Path) -> None:
    assert is_held(tmp_path / "missing")


def test_what_is_not_a_regular_file_is_not_held_and_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with open_held(tmp_path / "held"):
        (tmp_path / "link").symlink_to(tmp_path / "held")
        assert not is_held(tmp_path / "link")
    assert not is_held(tmp_path / "fifo")
    assert not is_held(tmp_path)


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


def test_a_lock_is_acquired_only_if_no_process_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("rb") as first, path.open("rb") as second:
        assert try_lock(first.fileno())
        assert not try_lock(second.fileno())
    with path.open("rb") as second:
        assert try_lock(second.fileno())


def test_a_process_that_looks_at_a_lock_does_not_make_it_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("rb") as looking, path.open("rb") as locking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr(owner_module.time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
        assert try_lock(locking.fileno())


def test_an_open_file_is_at_its_path_until_it_is_removed_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with path.open("rb") as file:
        assert is_at(path, file.fileno())
        path.rename(tmp_path / "moved")
        assert not is_at(path, file.fileno())
        path.symlink_to(tmp_path / "moved")
        assert not is_at(path, file.fileno())


ME = Owner.of_this_process("mine")


def as_json(**changes: Any) -> bytes:
    return json.dumps({**asdict(ME), **changes}).encode()


def test_an_owner_is_read_as_it_was_written(tmp_path: Path) -> None:
    with open_held(tmp_path / "file") as file:
        ME.write(file)
        assert Owner.read(file.fileno()) == ME
    assert ME.pid == os.getpid()
    assert str(ME) == f"process {os.getpid()} on host {Host.here().name} since {ME.since}"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 4000,
        b"9" * 4000,
        as_json(pid=True),
        as_json(pid=0),
        as_json(pid=-1),
        as_json(pid="1"),
        as_json(pid=1 << 40),
        as_json(started_ticks=1.5),
        as_json(sweep_id="../../precious"),
        as_json(sweep_id="\x1b[2J"),
        as_json(since="long ago"),
        as_json(since="2026-11-25"),
        as_json(since=None),
        as_json(host={"name": 1, "machine_id": "", "boot_id": ""}),
        as_json(host={"name": "a"}),
        as_json(host="a"),
        as_json(more=1),
    ],
)
def test_a_record_that_is_not_exactly_one_of_ours_names_no_owner(text: bytes) -> None:
    assert Owner.from_json(as_json()) == ME
    assert Owner.from_json(text) is None


def test_a_large_record_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(as_json() + b" " * 5000)
    with path.open("rb") as file:
        assert Owner.read(file.fileno()) is None


def test_the_name_of_a_host_is_shown_in_one_line_of_limited_length() -> None:
    owner = replace(ME, host=Host("\x1b[2J\n" + "a" * 1000, "", ""))
    assert str(owner).isprintable()
    assert len(str(owner)) < 300


@pytest.mark.parametrize(
    ("changes", "has_ended"),
    [
        ({}, False),
        ({"started_ticks": ME.started_ticks + 1}, True),  # another process has its process id now
        ({"pid": 1 << 22, "started_ticks": 5}, True),
        ({"pid": 1 << 22, "started_ticks": 5, "pid_namespace": 1}, False),  # in another container
        ({"host": replace(ME.host, boot_id="before", machine_id="1" * 32)}, True),
        ({"host": Host("elsewhere", "2" * 32, "its-boot")}, False),
    ],
)
def test_a_process_has_ended_only_if_that_is_certain(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], has_ended: bool
) -> None:
    here = replace(ME.host, machine_id="1" * 32)
    monkeypatch.setattr(Host, "here", lambda: here)
    assert replace(ME, **changes).has_ended == has_ended
