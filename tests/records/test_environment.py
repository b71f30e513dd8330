"""Where a point was measured."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from l2sweep.records import schema
from l2sweep.records.environment import Machine, Storage, effective_odirect, git_commit


def test_the_machine_fills_columns_of_the_points() -> None:
    columns = Machine.here().columns()
    assert set(columns) <= set(schema.POINTS.names)
    assert columns["host"] == os.uname().nodename
    assert columns["kernel"] == f"{os.uname().sysname} {os.uname().release}"
    assert columns["cpu_count"] == len(os.sched_getaffinity(0))
    total_kib = Path("/proc/meminfo").read_text().split()[1]
    assert columns["memory_bytes"] == int(total_kib) * 1024


def test_a_path_lies_on_the_mount_above_it(tmp_path: Path) -> None:
    storage = Storage.behind(str(tmp_path))
    assert storage.mount_point is not None
    assert os.path.ismount(storage.mount_point)
    assert tmp_path.resolve().is_relative_to(storage.mount_point)
    assert Path(storage.mount_point).stat().st_dev == tmp_path.stat().st_dev
    assert f"\t{storage.fs_type}\n" in Path("/proc/filesystems").read_text()
    assert storage.mount_options is not None
    assert storage.mount_options.startswith(("rw", "ro"))


def test_shared_memory_is_a_tmpfs_without_a_device() -> None:
    storage = Storage.behind("/dev/shm/l2sweep/kv")
    assert (storage.fs_type, storage.mount_point, storage.block_device) == ("tmpfs", "/dev/shm", None)


def test_a_path_need_not_exist_yet(tmp_path: Path) -> None:
    assert Storage.behind(str(tmp_path / "not" / "yet")) == Storage.behind(str(tmp_path))
    assert not (tmp_path / "not").exists()


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/shm")
    assert Storage.behind(str(tmp_path / "link")).fs_type == "tmpfs"


def test_an_adapter_without_a_path_has_no_storage() -> None:
    assert Storage.behind(None) == Storage(None, None, None, None)


@pytest.mark.parametrize("name", ["plain", "two words", "däta", "back\\slash"])
def test_a_mount_point_is_known_by_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The kernel writes blanks and backslashes of mountinfo in octal, and all else as it is."""
    folder = tmp_path / name
    folder.mkdir()
    shown = str(folder).replace("\\", "\\134").replace(" ", "\\040")
    lines = [
        "21 1 254:0 / / rw - ext4 /dev/vda rw",
        f"22 21 0:40 / {shown} rw,noatime shared:1 - xfs /dev/vdb rw,quota",
    ]
    monkeypatch.setattr(Path, "read_text", lambda path, *_, **__: "\n".join(lines) + "\n")
    storage = Storage.behind(str(folder / "kv"))
    assert (storage.fs_type, storage.mount_point) == ("xfs", str(folder))
    assert storage.mount_options == "rw,noatime;rw,quota"
    assert Storage.behind(str(tmp_path)).fs_type == "ext4"


def test_of_two_mounts_on_one_point_the_later_one_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["21 1 254:0 / / rw - ext4 /dev/vda rw", "22 21 0:40 / / rw - xfs /dev/vdb rw"]
    monkeypatch.setattr(Path, "read_text", lambda path, *_, **__: "\n".join(lines) + "\n")
    assert Storage.behind("/").fs_type == "xfs"


@pytest.mark.parametrize("adapter_type", ["fs", "fs_native"])
def test_o_direct_is_effective_only_for_whole_blocks(tmp_path: Path, adapter_type: str) -> None:
    block_bytes = os.statvfs(tmp_path).f_bsize
    spec = {"type": adapter_type, "use_odirect": True}
    assert effective_odirect(spec, 4 * block_bytes, str(tmp_path)) is True
    assert effective_odirect(spec, 4 * block_bytes + block_bytes // 2, str(tmp_path)) is False
    assert effective_odirect(spec, 4 * block_bytes, str(tmp_path / "not" / "yet")) is True


@pytest.mark.parametrize("spec", [{"type": "fs"}, {"type": "fs", "use_odirect": False}])
def test_o_direct_that_was_not_asked_for_is_not_effective(tmp_path: Path, spec: dict[str, Any]) -> None:
    assert effective_odirect(spec, 2**20, str(tmp_path)) is False


def test_o_direct_is_that_of_the_adapter_inside(tmp_path: Path) -> None:
    inner = {"type": "fs", "use_odirect": True}
    spec = {"type": "fault_inject", "inner": {"type": "fault_inject", "inner": inner}}
    assert effective_odirect(spec, 2**20, str(tmp_path)) is True
    assert effective_odirect(spec, 1000, str(tmp_path)) is False


def test_o_direct_of_another_adapter_or_of_no_path_is_unknown(tmp_path: Path) -> None:
    assert effective_odirect({"type": "raw_block", "use_odirect": True}, 2**20, str(tmp_path)) is None
    assert effective_odirect({"type": "fs", "use_odirect": True}, 2**20, None) is None
    assert effective_odirect({"type": "fault_inject", "inner": {"type": "resp"}}, 2**20, None) is None


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit of ``conf/config.yaml`` and ``other``."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    folder = tmp_path / "repository"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "config.yaml").write_text("num_keys: 8\n")
    (folder / "other").write_text("1\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "one")
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def test_the_commit_of_a_clean_folder_is_named(repository: Path) -> None:
    assert git_commit(repository / "conf") == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("file", ["config.yaml", "new.yaml"])
def test_a_folder_that_differs_from_its_commit_is_dirty(repository: Path, file: str) -> None:
    (repository / "conf" / file).write_text("num_keys: 9\n")
    assert git_commit(repository / "conf") == git(repository, "rev-parse", "HEAD") + "-dirty"


def test_a_change_elsewhere_does_not_make_a_folder_dirty(repository: Path) -> None:
    (repository / "other").write_text("2\n")
    assert git_commit(repository / "conf") == git(repository, "rev-parse", "HEAD")


def test_a_folder_that_nobody_tracks_has_no_commit(repository: Path, tmp_path: Path) -> None:
    (repository / "untracked").mkdir()
    (repository / "untracked" / "config.yaml").write_text("")
    (tmp_path / "outside").mkdir()
    assert git_commit(repository / "untracked") is None
    assert git_commit(tmp_path / "outside") is None
    assert git_commit(tmp_path / "missing") is None
