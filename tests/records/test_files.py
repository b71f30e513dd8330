"""Tests of l2sweep.records.files."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2sweep.records.files import (
    file_stem,
    half_written,
    remove_half_written,
    written_whole,
)
from l2sweep.records.owner import Host, open_held


@pytest.mark.parametrize("sweep_id", ["night", "a.b", "a.00001.2"])
def test_a_file_name_contains_the_sweep_id(sweep_id: str) -> None:
    assert file_stem(sweep_id, 7, 2) == f"{sweep_id}.00007.2"


def test_a_temporary_file_is_hidden_from_readers(tmp_path: Path) -> None:
    assert half_written(tmp_path, "mine.00000.1").name.startswith(".mine.00000.1.")


def test_two_writers_of_one_file_have_two_temporary_names(tmp_path: Path) -> None:
    names = {half_written(tmp_path, "mine.00000.1").name for _ in range(100)}
    assert len(names) == 100


def test_a_file_is_replaced_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    with written_whole(path) as first, written_whole(path) as second:
        first.write(b"first")
        second.write(b"second")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_earlier_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"old")

    def fail() -> None:
        with written_whole(path) as file:
            file.write(b"half of the new")
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "link"
    precious.write_bytes(b"precious")
    link.symlink_to(precious)
    with written_whole(link) as file:
        file.write(b"new")
    assert precious.read_bytes() == b"precious"
    assert not link.is_symlink()


def test_a_temporary_file_of_an_earlier_release_is_removed(tmp_path: Path) -> None:
    # .STEM.HOST-MACHINE.KERNEL.tmp: without a random part
    name = half_written(tmp_path, "mine.00000.1").name.split(".")
    del name[4]
    (tmp_path / ".".join(name)).touch()
    remove_half_written(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_removed_through_a_link_and_what_cannot_be_removed_stays(tmp_path: Path) -> None:
    results, elsewhere = tmp_path / "results", tmp_path / "elsewhere"
    (results / "sweeps").mkdir(parents=True)
    elsewhere.mkdir()
    half_written(elsewhere, "precious").touch()
    (results / "sweeps" / "linked").symlink_to(elsewhere)
    (results / "rounds").symlink_to(elsewhere)
    half_written(results, "folder").mkdir()
    remove_half_written(results)
    assert len(list(elsewhere.iterdir())) == 1
    assert len(list(results.glob(".folder.*"))) == 1


@pytest.mark.parametrize(
    "folder", ["", "rounds", "rounds/mine", "points/date=2026-11-30/mine", "sweeps/mine"]
)
def test_temporary_files_of_dead_processes_are_removed(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    half_written(tmp_path / folder, "mine.00000.1").touch()
    remove_half_written(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_temporary_files_of_live_processes_are_kept(tmp_path: Path) -> None:
    path = half_written(tmp_path, "mine.00000.1")
    with open_held(path):
        remove_half_written(tmp_path)
        assert path.exists()


def test_other_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter_folder = tmp_path / "sweeps" / "mine" / "kv"
    adapter_folder.mkdir(parents=True)
    half_written(adapter_folder, "deeper").touch()
    (tmp_path / "key.data.tmp").touch()
    with monkeypatch.context() as patch:
        patch.setattr(Host, "here", lambda: Host("another", "1" * 32, "2" * 36))
        half_written(tmp_path, "of-another-host").touch()
    before = sorted(tmp_path.rglob("*"))
    remove_half_written(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_temporary_files_from_before_a_reboot_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for boot_id in ("before", "after"):
        monkeypatch.setattr(Host, "here", lambda boot_id=boot_id: Host("bench.example", "1" * 32, boot_id))
        if boot_id == "before":
            path = half_written(tmp_path, "mine.00000.1")
            path.touch()
    remove_half_written(tmp_path)
    assert not path.exists()
