"""What an examination created is removed, and nothing else."""

from __future__ import annotations

from pathlib import Path

from l2sweep.sweep.doctor.new_places import new_places_removed


def test_new_folders_are_removed_while_they_are_empty(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    places = [str(tmp_path / "new" / "kv"), str(tmp_path / "used"), str(tmp_path / "old"), None]
    with new_places_removed(places):
        (tmp_path / "new" / "kv" / "inside").mkdir(parents=True)
        (tmp_path / "used").mkdir()
        (tmp_path / "used" / "other.data").write_text("stays")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["old", "other.data", "used"]


def test_a_new_file_is_removed_and_one_that_existed_is_not(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("of the user")
    for file in (old, new):
        with new_places_removed([], str(file)):
            file.write_text("data")
    with new_places_removed([str(new)]):  # a file in the place of a folder belongs to somebody else
        new.write_text("data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]
