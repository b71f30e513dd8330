"""The lock of the host: one sweep at a time."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from l2sweep.sweep.state import host_lock as host_lock_module
from l2sweep.sweep.state.host_lock import HostBusyError, holder, host_lock, lock_file


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the lock file in a folder of the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_lock_file_is_in_the_folder_for_temporary_files(tmp_path: Path) -> None:
    assert lock_file() == tmp_path / "l2sweep.lock"


def test_the_holder_is_known_while_the_lock_is_held() -> None:
    assert holder() == ""
    with host_lock("fail", "mine"):
        assert holder().startswith(f"sweep mine, process {os.getpid()}, since 2")
        assert lock_file().stat().st_mode & 0o777 == 0o666  # other users must be able to lock it
    assert holder() == ""
    assert not lock_file().exists()


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
        if len(waits) == 2:
            first.__exit__(None, None, None)

    monkeypatch.setattr(host_lock_module.time, "sleep", sleep)
    with host_lock("wait", "other"):
        assert holder().startswith("sweep other,")
    assert len(waits) == 2


def test_without_a_lock_another_sweep_does_not_matter() -> None:
    with host_lock("fail", "mine"), host_lock("off", "other"):
        assert holder().startswith("sweep mine,")
    with host_lock("off", "other"):
        assert not lock_file().exists()


def test_the_file_of_a_sweep_that_was_killed_does_not_matter() -> None:
    lock_file().write_text(json.dumps({"sweep_id": "killed" * 30, "pid": 1, "since": "2026"}))
    assert holder() == ""
    with host_lock("fail", "mine"):
        assert json.loads(lock_file().read_text())["sweep_id"] == "mine"


def test_a_file_that_its_holder_removed_before_it_was_locked_is_created_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flock = fcntl.flock
    removed: list[Path] = []

    def remove_first(file: Any, operation: int) -> None:
        if not removed:
            removed.append(lock_file())
            lock_file().unlink()
        flock(file, operation)

    monkeypatch.setattr(host_lock_module.fcntl, "flock", remove_first)
    with host_lock("fail", "mine"):
        assert len(removed) == 1
        assert lock_file().exists()
        assert holder().startswith("sweep mine,")


def test_a_file_that_cannot_be_removed_stays_unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError

    with host_lock("fail", "mine"):
        monkeypatch.setattr(Path, "unlink", refuse)
    assert lock_file().read_text() == ""
    assert holder() == ""


@pytest.mark.parametrize(("content", "found"), [("", "sweep None, process None, since None"), ("{", "")])
def test_an_incomplete_file_is_no_error(content: str, found: str) -> None:
    lock_file().write_text(content)
    with lock_file().open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder() == found
