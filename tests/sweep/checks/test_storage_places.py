"""A place that cannot be created or written is a wrong request, and the check leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shipped import point

from l2sweep.sweep.checks.storage_places import place_problems, why_unusable


def problems(spec: dict[str, Any], **changes: Any) -> list[str]:
    return place_problems([replace(point(), adapter_spec=spec, **changes)])


def test_a_folder_that_exists_or_can_be_created_is_right_and_nothing_stays(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "not" / "yet"):
        assert problems({"type": "fs", "base_path": str(path)}) == []
    assert list(tmp_path.iterdir()) == []


def test_a_place_below_proc_names_the_option_and_the_reason() -> None:
    (problem,) = problems({"type": "fs", "base_path": "/proc/nope"})
    assert problem.startswith(
        "adapter.base_path=/proc/nope: must be a folder that can be created or written ("
    )
    assert "/proc" in problem.partition("(")[2]


def test_a_place_inside_another_spec_is_named() -> None:
    spec = {"type": "fault_inject", "inner": {"type": "fs", "base_path": "/proc/nope"}}
    assert problems(spec)[0].startswith("adapter.inner.base_path=/proc/nope")


def test_a_place_of_many_points_is_checked_and_reported_once() -> None:
    bad = replace(point(), adapter_spec={"type": "fs", "base_path": "/proc/nope"})
    assert len(place_problems([bad, replace(bad, num_keys=5), replace(bad, num_keys=6)])) == 1


@pytest.mark.parametrize("value", [5.5, {}, [1]])
def test_a_place_that_is_no_text_is_refused(value: object) -> None:
    (problem,) = problems({"type": "fs", "base_path": value})
    assert problem.startswith("adapter.base_path=")
    assert "must be the text of a path" in problem


def test_a_remote_store_has_no_place_here() -> None:
    assert problems({"type": "s3", "base_path": "/proc/nope"}) == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("\ud800", "character"),
        ("a" * 300, "300 bytes, and 255 are allowed"),
        ("\u00fc" * 128, "256 bytes"),
        ("a/" * 2000, "4000 bytes, and 3000 are allowed"),
        ("/dev/null", "not a folder"),
        ("/dev/null/x", "Not a directory"),
    ],
)
def test_a_path_that_no_folder_can_have_is_unusable(path: str, reason: str) -> None:
    assert reason in why_unusable(path, writes=True, is_one_file=False)


def test_files_and_folders_are_not_confused(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("x")
    link.symlink_to("nowhere")
    assert why_unusable(str(file), writes=True, is_one_file=False) == "it is not a folder"
    assert why_unusable(str(file), writes=True, is_one_file=True) == ""
    assert why_unusable(str(tmp_path), writes=True, is_one_file=True) == "it is neither a file nor a device"
    assert why_unusable(str(tmp_path / "new"), writes=True, is_one_file=True) == ""
    assert "link" in why_unusable(str(link), writes=True, is_one_file=False)
