"""Tests of l2sweep.records.environment."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from l2sweep.records import environment, schema
from l2sweep.records.environment import Machine, Storage, git_commit, nearest_existing


def test_machine_returns_columns_of_points() -> None:
    columns = Machine.here().columns()
    assert set(columns) <= set(schema.POINTS.names)
    assert columns["host"] == os.uname().nodename
    assert columns["kernel"] == f"{os.uname().sysname} {os.uname().release}"
    assert columns["cpu_count"] == len(os.sched_getaffinity(0))
    total_kib = Path("/proc/meminfo").read_text().split()[1]
    assert columns["memory_bytes"] == int(total_kib) * 1024


def test_storage_of_a_path_is_the_mount_that_contains_it(tmp_path: Path) -> None:
    storage = Storage.behind(str(tmp_path))
    assert storage.mount_point is not None
    assert os.path.ismount(storage.mount_point)
    assert tmp_path.resolve().is_relative_to(storage.mount_point)
    assert Path(storage.mount_point).stat().st_dev == tmp_path.stat().st_dev
    assert f"\t{storage.fs_type}\n" in Path("/proc/filesystems").read_text()
    assert storage.mount_options is not None
    assert storage.mount_options.startswith(("rw", "ro"))


def test_storage_of_shared_memory_is_a_tmpfs_without_a_device() -> None:
    storage = Storage.behind("/dev/shm/l2sweep/kv")
    assert (storage.fs_type, storage.mount_point, storage.block_device) == ("tmpfs", "/dev/shm", None)


def test_storage_of_a_path_that_does_not_exist_is_that_of_its_parent(tmp_path: Path) -> None:
    assert Storage.behind(str(tmp_path / "not" / "yet")) == Storage.behind(str(tmp_path))
    assert not (tmp_path / "not").exists()


def test_storage_of_a_block_device_is_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = os.stat_result((stat.S_IFBLK | 0o600, *[0] * 9), {"st_rdev": os.makedev(999, 7)})
    real_stat = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **options: device if path == tmp_path else real_stat(path, **options)
    )
    assert Storage.behind(str(tmp_path)) == Storage(fs_type="block")


def test_the_device_of_a_file_system_with_its_own_device_numbers_is_the_mounted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files on btrfs have numbers that belong to no device. Here, each path has numbers that do not exist."""
    disk = os.stat_result((stat.S_IFBLK | 0o600, *[0] * 9), {"st_rdev": os.makedev(999, 8)})
    real_stat = Path.stat
    monkeypatch.setattr(
        Path, "stat", lambda path, **options: disk if path == Path("/dev/vdz") else real_stat(path, **options)
    )
    names = {os.makedev(999, 8): "vdz"}
    monkeypatch.setattr(environment, "_device_name", names.get)
    lines = f"21 1 0:40 / {tmp_path} rw - btrfs /dev/vdz rw,subvol=/\n22 1 0:41 / /other rw - tmpfs none rw\n"
    monkeypatch.setattr(Path, "read_text", lambda path, *_, **__: lines)
    assert Storage.behind(str(tmp_path)).block_device == "vdz"
    monkeypatch.setattr(Path, "read_text", lambda path, *_, **__: lines.replace("/dev/vdz", "none"))
    assert Storage.behind(str(tmp_path)).block_device is None


def test_storage_has_no_device_where_a_container_hides_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    resolve = Path.resolve

    def refused(self: Path, strict: bool = False) -> Path:
        if self.is_relative_to("/sys/dev/block"):
            raise PermissionError(13, "Permission denied", str(self))
        return resolve(self, strict)

    monkeypatch.setattr(Path, "resolve", refused)
    storage = Storage.behind(str(tmp_path))
    assert storage.mount_point
    assert storage.block_device is None


def test_the_model_of_a_device_is_that_of_its_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "devices" / "nvme0n1"
    (disk / "device").mkdir(parents=True)
    (disk / "device" / "model").write_text("SAMSUNG MZQL23T8HCLS    \n")
    (disk / "nvme0n1p1").mkdir()
    (tmp_path / "devices" / "vda").mkdir()
    links = {"nvme0n1": disk, "nvme0n1p1": disk / "nvme0n1p1", "vda": tmp_path / "devices" / "vda"}
    real_resolve = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path, **options: real_resolve(links.get(path.name, path)))
    found = [environment._device_model(name) for name in ("nvme0n1", "nvme0n1p1", "vda", None)]
    assert found == ["SAMSUNG MZQL23T8HCLS", "SAMSUNG MZQL23T8HCLS", None, None]


def test_nearest_existing_returns_the_first_parent_that_exists(tmp_path: Path) -> None:
    assert nearest_existing(tmp_path) == tmp_path
    assert nearest_existing(tmp_path / "not" / "yet") == tmp_path


def test_storage_follows_symbolic_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/shm")
    assert Storage.behind(str(tmp_path / "link")).fs_type == "tmpfs"


def test_storage_without_a_path_is_empty() -> None:
    assert Storage.behind(None) == Storage(None, None, None, None)


@pytest.mark.parametrize("name", ["plain", "two words", "däta", "back\\slash"])
def test_mount_points_with_special_characters_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The kernel escapes only white space and backslashes in mountinfo, in octal."""
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


def test_the_later_of_two_mounts_on_one_mount_point_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["21 1 254:0 / / rw - ext4 /dev/vda rw", "22 21 0:40 / / rw - xfs /dev/vdb rw"]
    monkeypatch.setattr(Path, "read_text", lambda path, *_, **__: "\n".join(lines) + "\n")
    assert Storage.behind("/").fs_type == "xfs"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a git repository with one commit of ``conf/config.yaml`` and ``other``."""
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


def test_git_commit_of_an_unchanged_folder(repository: Path) -> None:
    assert git_commit(repository / "conf") == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("file", ["config.yaml", "new.yaml"])
def test_git_commit_of_a_changed_folder_is_dirty(repository: Path, file: str) -> None:
    (repository / "conf" / file).write_text("num_keys: 9\n")
    assert git_commit(repository / "conf") == git(repository, "rev-parse", "HEAD") + "-dirty"


def test_git_commit_ignores_changes_outside_the_folder(repository: Path) -> None:
    (repository / "other").write_text("2\n")
    assert git_commit(repository / "conf") == git(repository, "rev-parse", "HEAD")


def test_git_commit_of_an_untracked_folder_is_none(repository: Path, tmp_path: Path) -> None:
    (repository / "untracked").mkdir()
    (repository / "untracked" / "config.yaml").write_text("")
    (tmp_path / "outside").mkdir()
    assert git_commit(repository / "untracked") is None
    assert git_commit(tmp_path / "outside") is None
    assert git_commit(tmp_path / "missing") is None
