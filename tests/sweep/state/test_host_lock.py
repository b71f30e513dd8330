"""The lock of the host: one sweep at a time, in a folder where other users may have put anything."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from l2sweep.errors import RequestError
from l2sweep.records.owner import Owner
from l2sweep.sweep.state import host_lock as host_lock_module
from l2sweep.sweep.state.host_lock import HostBusyError, holder, host_lock, lock_file

NOBODY = 65534


@pytest.fixture(autouse=True)
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the lock file in a folder of the test, where all users may create files."""
    folder = tmp_path / "lock"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setenv("L2SWEEP_LOCK_DIR", str(folder))
    return folder / "l2sweep.lock"


@contextmanager
def locked_by_another(path: Path, content: bytes) -> Iterator[None]:
    path.write_bytes(content)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_the_folder_of_the_lock_is_the_one_of_the_environment(lock: Path) -> None:
    assert lock_file() == lock


@pytest.mark.parametrize(
    ("modes", "chosen"),
    [
        ((0o1777, 0o1777), "first"),
        ((0o755, 0o1777), "second"),  # only root may create files
        ((0o777, 0o1777), "second"),  # each user may replace the files of others
        ((None, 0o1777), "second"),
        ((None, None), "temporary"),
    ],
)
def test_the_lock_is_in_the_first_folder_that_all_users_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modes: tuple[int | None, ...], chosen: str
) -> None:
    monkeypatch.delenv("L2SWEEP_LOCK_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(host_lock_module, "_SHARED_FOLDERS", (tmp_path / "first", tmp_path / "second"))
    monkeypatch.setattr(host_lock_module, "_ROOT_UID", os.geteuid())
    for name, mode in zip(("first", "second"), modes, strict=True):
        if mode is not None:
            (tmp_path / name).mkdir()
            (tmp_path / name).chmod(mode)
    assert lock_file() == tmp_path / chosen / "l2sweep.lock"


def test_the_holder_is_known_while_the_lock_is_held(lock: Path) -> None:
    assert holder() == ""
    before = os.umask(0o077)
    try:
        with host_lock("fail", "mine"):
            assert holder().startswith(f"sweep mine, process {os.getpid()}, since 2")
            assert lock.stat().st_mode & 0o777 == 0o644  # other users must be able to open it
    finally:
        os.umask(before)
    assert holder() == ""
    assert not lock.exists()


def test_the_lock_is_released_after_an_error() -> None:
    def hold_and_fail() -> None:
        with host_lock("fail", "mine"):
            raise ValueError

    with pytest.raises(ValueError):
        hold_and_fail()
    assert holder() == ""


def test_a_second_sweep_is_refused_with_the_holder() -> None:
    with host_lock("fail", "mine"):
        with pytest.raises(
            HostBusyError, match="another sweep runs on this host: sweep mine, process "
        ) as busy:
            host_lock("fail", "other").__enter__()
        assert busy.value.exit_code == 1
        assert holder().startswith("sweep mine,")


def test_a_second_sweep_waits_until_the_lock_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    first = host_lock("fail", "mine")
    first.__enter__()

    def sleep(duration_s: float) -> None:
        waits.append(duration_s)
        if waits.count(0.5) == 2:
            first.__exit__(None, None, None)

    monkeypatch.setattr(host_lock_module.time, "sleep", sleep)
    with host_lock("wait", "other"):
        assert holder().startswith("sweep other,")
    assert waits.count(0.5) == 2


def test_without_a_lock_another_sweep_does_not_matter(lock: Path) -> None:
    with host_lock("fail", "mine"), host_lock("off", "other"):
        assert holder().startswith("sweep mine,")
    with host_lock("off", "other"):
        assert not lock.exists()


def test_the_file_of_a_sweep_that_was_killed_does_not_matter(lock: Path) -> None:
    lock.write_bytes(Owner.of_this_process("killed").to_json())
    assert holder() == ""
    with host_lock("fail", "mine"):
        assert json.loads(lock.read_bytes())["sweep_id"] == "mine"
    assert not lock.exists()


def test_a_file_that_its_holder_removed_before_it_was_locked_is_created_again(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    removed: list[Path] = []

    def remove_first(file: Any, operation: int) -> None:
        if not removed:
            removed.append(lock)
            lock.unlink()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with host_lock("fail", "mine"):
        assert len(removed) == 1
        assert lock.exists()
        assert holder().startswith("sweep mine,")


def foreign(lock: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a file of another user, which this user may read and not remove."""
    lock.write_bytes(content)
    lock.chmod(0o444)
    if os.geteuid() == 0:
        os.chown(lock, NOBODY, NOBODY)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refuse)  # root may remove every file


def test_the_file_of_another_user_is_locked_and_not_changed(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = replace(Owner.of_this_process("left"), started_ticks=5).to_json()
    foreign(lock, left, monkeypatch)
    before = lock.stat()
    with host_lock("fail", "mine"):
        assert holder() == f"an unknown process, which has locked {lock}"
        with pytest.raises(HostBusyError, match="an unknown process"):
            host_lock("fail", "other").__enter__()
    assert holder() == ""
    assert lock.read_bytes() == left
    after = lock.stat()
    assert (after.st_mode, after.st_uid, after.st_mtime_ns) == (
        before.st_mode,
        before.st_uid,
        before.st_mtime_ns,
    )


def test_the_file_is_opened_without_the_flag_that_the_kernel_refuses_for_files_of_others(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, int]] = []
    open_file = os.open

    def record(path: Any, flags: int, *more: Any, **named: Any) -> int:
        opened.append((str(path), flags))
        return open_file(path, flags, *more, **named)

    lock.touch()
    monkeypatch.setattr(os, "open", record)
    with host_lock("fail", "mine"):
        pass
    flags = [flags for path, flags in opened if path == str(lock)]
    assert flags
    for one in flags:  # fs.protected_regular refuses O_CREAT without O_EXCL
        assert one & os.O_NOFOLLOW
        assert not one & os.O_TRUNC
        assert one & os.O_EXCL if one & os.O_CREAT else one & os.O_ACCMODE == os.O_RDONLY


def plant_link(lock: Path, precious: Path) -> None:
    lock.symlink_to(precious)


def plant_dangling_link(lock: Path, precious: Path) -> None:
    lock.symlink_to(precious.with_name("created"))


def plant_fifo(lock: Path, precious: Path) -> None:
    os.mkfifo(lock, 0o666)


def plant_folder(lock: Path, precious: Path) -> None:
    lock.mkdir()


@pytest.mark.parametrize("plant", [plant_link, plant_dangling_link, plant_fifo, plant_folder])
@pytest.mark.parametrize("mode", ["fail", "wait"])
def test_what_is_not_a_regular_file_is_refused_and_nothing_is_changed(
    tmp_path: Path, lock: Path, plant: Callable[[Path, Path], None], mode: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    precious.chmod(0o600)
    plant(lock, precious)
    before = lock.lstat()
    assert holder() == ""  # and does not wait for a writer of the FIFO
    with pytest.raises(RequestError) as refused:
        host_lock(mode, "mine").__enter__()
    assert refused.value.exit_code == 2
    assert str(refused.value).startswith(f"lock={mode}: {lock} cannot be locked: it is ")
    assert (precious.read_text(), precious.stat().st_mode & 0o777) == ("precious", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "precious"]
    after = lock.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )
    with host_lock("off", "mine"):
        pass


def test_a_hard_link_to_a_file_of_root_does_not_change_the_file(tmp_path: Path, lock: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    precious.chmod(0o600)
    lock.hardlink_to(precious)
    with host_lock("fail", "mine"):
        assert holder().startswith("sweep mine,")
    assert (precious.read_text(), precious.stat().st_mode & 0o777) == ("precious", 0o600)


def test_a_missing_folder_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("L2SWEEP_LOCK_DIR", str(tmp_path / "missing"))
    assert holder() == ""
    with pytest.raises(RequestError, match=r"missing/l2sweep\.lock cannot be locked: No such file"):
        host_lock("fail", "mine").__enter__()


VALID = asdict(Owner.of_this_process("mine"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\x1b]0;owned\x07\x1b[2J" * 100,
        b"[" * 4000,
        json.dumps({**VALID, "sweep_id": "\x1b[2J"}).encode(),
        json.dumps({**VALID, "since": "\x1b[2J"}).encode(),
        json.dumps({**VALID, "pid": "\x1b[2J"}).encode(),
        json.dumps({"sweep_id": "a" * 5000, "pid": 1, "since": "2026"}).encode(),
    ],
)
def test_the_content_of_the_file_is_never_printed_unless_it_is_a_valid_record(
    lock: Path, content: bytes
) -> None:
    with locked_by_another(lock, content):
        assert holder() == f"an unknown process, which has locked {lock}"
        with pytest.raises(HostBusyError) as busy:
            host_lock("fail", "mine").__enter__()
    assert str(busy.value).isprintable()


def test_a_full_disk_does_not_prevent_a_sweep(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with host_lock("fail", "mine"):
        assert holder().startswith("an unknown process")
    assert not lock.exists()


def test_another_user_locks_the_file_that_root_left_and_root_the_file_of_another_user(
    lock: Path, as_nobody: Callable[[str], str]
) -> None:
    lock.write_bytes(b"left by root")
    code = (
        "from l2sweep.sweep.state.host_lock import *\n"
        "with host_lock('fail', 'theirs'): print(bool(holder()), lock_file().read_text())"
    )
    if os.geteuid() == 0:
        assert as_nobody(code) == "True left by root"
        assert lock.read_bytes() == b"left by root"
        os.chown(lock, NOBODY, NOBODY)
    with host_lock("fail", "mine"):
        assert holder().startswith("sweep mine,")
