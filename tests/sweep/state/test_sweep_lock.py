"""The lock of a sweep: one process at a time, on any host that shares the folder."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from l2sweep.errors import RequestError
from l2sweep.records.files import half_written
from l2sweep.records.owner import Host, Owner, open_held
from l2sweep.sweep.state.sweep_lock import sweep_lock, who_runs

HERE = Host("bench-1", "1" * 32, "boot-1")
ELSEWHERE = Host("bench-2", "2" * 32, "boot-2")
BEFORE_A_REBOOT = replace(HERE, boot_id="boot-0")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "here", lambda: HERE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    return folder


@pytest.fixture
def lock(folder: Path) -> Path:
    return folder / "sweep.lock"


def write_lock(path: Path, host: Host = HERE) -> Owner:
    """Write the lock file of a run that died."""
    owner = replace(Owner.of_this_process("mine"), host=host, pid=77)
    with path.open("wb") as file:
        owner.write(file)
    return owner


def refusal(folder: Path) -> str:
    """Return why the lock is refused, after a check that this changes nothing."""

    def state() -> list[Any]:
        files = [(path.name, path.is_file() and path.read_bytes()) for path in sorted(folder.iterdir())]
        return [*files, folder.stat().st_mtime_ns]

    before = state()
    with pytest.raises(RequestError) as refused, sweep_lock(folder):
        pass
    assert state() == before
    assert refused.value.exit_code == 2
    (problem,) = refused.value.problems
    assert problem.isprintable()
    return problem


@pytest.fixture(params=["link", "in place"])
def with_or_without_hard_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test also on a file system without hard links."""

    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if request.param == "in place":
        monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.mark.usefixtures("with_or_without_hard_links")
def test_the_file_names_its_owner_while_the_sweep_runs(folder: Path, lock: Path) -> None:
    assert who_runs(folder) is None
    with sweep_lock(folder):
        owner = Owner.from_json(lock.read_bytes())
        assert owner is not None
        assert (owner.pid, owner.host, owner.sweep_id) == (os.getpid(), HERE, "mine")
        assert list(folder.iterdir()) == [lock]
        runner = who_runs(folder)
        assert runner is not None
        assert runner.is_certain
    assert list(folder.iterdir()) == []
    assert who_runs(folder) is None


@pytest.mark.usefixtures("with_or_without_hard_links")
def test_a_second_run_is_refused_and_named_the_first(folder: Path, lock: Path) -> None:
    with sweep_lock(folder):
        owner = Owner.from_json(lock.read_bytes())
        expected = f"sweep mine is being run by process {os.getpid()} on host bench-1 since {owner.since}"
        assert refusal(folder) == f"{expected}: wait until it ends"
    with sweep_lock(folder):
        pass


@pytest.mark.parametrize("host", [HERE, BEFORE_A_REBOOT])
def test_the_lock_of_a_run_that_died_on_this_host_is_replaced(folder: Path, lock: Path, host: Host) -> None:
    write_lock(lock, host)
    assert who_runs(folder) is None
    with sweep_lock(folder):
        owner = Owner.from_json(lock.read_bytes())
        assert owner is not None
        assert owner.pid == os.getpid()
        assert "is being run" in refusal(folder)
    assert list(folder.iterdir()) == []


def test_of_many_processes_that_replace_a_dead_lock_one_succeeds(folder: Path, lock: Path) -> None:
    write_lock(lock)
    start, end = threading.Barrier(8), threading.Barrier(8)
    held: list[int] = []

    def run(number: int) -> None:
        start.wait()
        try:
            with sweep_lock(folder):
                held.append(number)
                end.wait(5)
        except RequestError:
            end.wait(5)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    assert list(folder.iterdir()) == []


def test_an_unlocked_file_of_another_host_is_respected_with_the_way_to_proceed(
    folder: Path, lock: Path
) -> None:
    owner = write_lock(lock, ELSEWHERE)
    expected = (
        f"sweep mine may be run by process 77 on host bench-2 since {owner.since}, which cannot be seen from "
        f"host bench-1: if that run has ended, delete {lock}"
    )
    assert refusal(folder) == expected
    runner = who_runs(folder)
    assert runner is not None
    assert (runner.sentence, runner.is_certain) == (expected, False)
    lock.unlink()
    with sweep_lock(folder):
        pass


def test_a_locked_file_of_another_host_belongs_to_a_run(folder: Path, lock: Path) -> None:
    with open_held(lock) as file:
        replace(Owner.of_this_process("mine"), host=ELSEWHERE).write(file)
        assert "is being run by process" in refusal(folder)
        assert "on host bench-2" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\x1b[2J" * 1000])
def test_a_file_without_a_valid_record_is_respected(folder: Path, lock: Path, content: bytes) -> None:
    lock.write_bytes(content)
    expected = f"sweep mine may be run by an unknown process: if that run has ended, delete {lock}"
    assert refusal(folder) == expected


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_the_file_alone_excludes_another_run(folder: Path, lock: Path) -> None:
    with sweep_lock(folder):
        problem = refusal(folder)
    assert f"may be run by process {os.getpid()} on host bench-1" in problem
    assert "its file system has no locks" in problem
    assert problem.endswith(f"delete {lock}")
    assert list(folder.iterdir()) == []
    write_lock(lock)  # of a run that died: nobody can tell
    assert "may be run by process 77" in refusal(folder)


def test_a_link_that_nfs_reports_as_existing_although_it_made_it_counts(
    folder: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = Path.hardlink_to

    def repeated(path: Path, target: Path) -> None:
        link(path, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(Path, "hardlink_to", repeated)
    with sweep_lock(folder):
        owner = Owner.from_json(lock.read_bytes())
        assert owner is not None
        assert owner.pid == os.getpid()


@pytest.fixture
def faster(folder: Path, lock: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have another process create the lock just before this one does."""
    link = Path.hardlink_to
    other = open_held(half_written(folder, "other"))
    Owner.of_this_process("mine").write(other)

    def late(path: Path, target: Path) -> None:
        if not lock.exists():
            link(lock, Path(f"/proc/self/fd/{other.fileno()}").readlink())
        link(path, target)

    monkeypatch.setattr(Path, "hardlink_to", late)
    yield
    other.close()


@pytest.mark.usefixtures("faster")
def test_a_process_that_creates_the_lock_second_is_refused(folder: Path, lock: Path) -> None:
    with pytest.raises(RequestError, match="is being run"), sweep_lock(folder):
        pass
    assert lock.exists()
    assert list(folder.glob(".sweep.lock.*")) == []


@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
def test_what_is_not_a_regular_file_is_refused_and_not_changed(
    folder: Path, lock: Path, tmp_path: Path, kind: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    precious.chmod(0o600)
    if kind == "link":
        lock.symlink_to(precious)
    elif kind == "dangling link":
        lock.symlink_to(tmp_path / "created")
    elif kind == "fifo":
        os.mkfifo(lock)
    else:
        lock.mkdir()
    assert f"sweep mine cannot be locked: {lock}: it is " in refusal(folder)
    runner = who_runs(folder)
    assert runner is not None
    assert not runner.is_certain
    assert (precious.read_text(), precious.stat().st_mode & 0o777) == ("precious", 0o600)
    assert not (tmp_path / "created").exists()


def test_a_lock_that_cannot_be_written_is_one_line_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(RequestError, match=r"sweep mine cannot be locked: .*: No space left"),
        sweep_lock(folder),
    ):
        pass
    assert list(folder.iterdir()) == []


def test_a_lock_that_a_person_deleted_and_another_run_took_is_not_removed(folder: Path, lock: Path) -> None:
    with sweep_lock(folder):
        lock.unlink()
        write_lock(lock, ELSEWHERE)
    assert lock.exists()


def test_a_folder_that_is_removed_while_the_sweep_runs_is_no_error(folder: Path, lock: Path) -> None:
    with sweep_lock(folder):
        lock.unlink()
        folder.rmdir()
