"""Tests of l2sweep.cli.report.beside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from l2sweep.cli.report.beside import last_lines, run_again

LOG = "sweeps/mine/point-00000.1.log"


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_last_lines_are_those_that_say_something(tmp_path: Path) -> None:
    write(tmp_path, LOG, "".join(f"line {number}\n\n" for number in range(100)))
    assert last_lines(tmp_path, LOG) == [f"line {number}" for number in range(88, 100)]


def test_a_long_log_begins_with_a_whole_line_and_a_long_line_is_cut(tmp_path: Path) -> None:
    write(tmp_path, LOG, f"{'x' * 20_000}\n{'y' * 1000}\nend\n")
    assert last_lines(tmp_path, LOG) == ["y" * 300, "end"]


def test_control_characters_and_credentials_of_a_log_are_not_shown(tmp_path: Path) -> None:
    write(tmp_path, LOG, "\x1b[31mred\nconnect to redis://user:hunter22@host\n")
    lines = last_lines(tmp_path, LOG)
    assert lines[0] == "\\x1b[31mred"
    assert "hunter22" not in lines[1]


@pytest.mark.parametrize(
    "log_file",
    [
        "/etc/passwd",
        "../secret.log",
        "sweeps/../secret.log",
        "sweeps/mine/../../secret.log",
        "sweeps/mine/key.pem",
    ],
)
def test_a_record_cannot_make_a_report_show_another_file(tmp_path: Path, log_file: str) -> None:
    for name in ("secret.log", "results/secret.log", "results/sweeps/mine/key.pem"):
        write(tmp_path, name, "secret")
    assert last_lines(tmp_path / "results", log_file) == ()


def test_a_link_in_the_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "secret", "secret")
    (tmp_path / LOG).parent.mkdir(parents=True)
    (tmp_path / LOG).symlink_to(tmp_path / "secret")
    assert last_lines(tmp_path, LOG) == ()
    assert last_lines(tmp_path, "sweeps/mine/missing.log") == ()


def manifest(folder: Path, arguments: list[str], points: int) -> None:
    entry = {"index": 0, "repeat": 0, "point_id": "a", "overrides": []}
    fields = {
        "sweep_id": "mine",
        "arguments": arguments,
        "zip": [],
        "points": [{**entry, "index": number} for number in range(points)],
        "skipped": [],
    }
    write(folder, "sweeps/mine/manifest.json", json.dumps(fields))


def test_a_sweep_is_run_again_with_its_own_arguments_under_a_new_id(tmp_path: Path) -> None:
    manifest(tmp_path, ["num_keys=8,32", "sweep_id=mine", "constraints=['num_keys > 8']"], 2)
    found = run_again(tmp_path, "mine")
    assert found.command == ("""python -m l2sweep -m num_keys=8,32 'constraints=['"'"'num_keys > 8'"'"']'""")
    assert found.note == ""


def test_a_point_is_no_multirun_and_credentials_are_named(tmp_path: Path) -> None:
    manifest(tmp_path, ["+adapter.password=***"], 1)
    found = run_again(tmp_path, "mine")
    assert found.command == "python -m l2sweep '+adapter.password=***'"
    assert found.note.startswith("The request contained credentials")


def test_a_sweep_without_a_manifest_has_no_command(tmp_path: Path) -> None:
    found = run_again(tmp_path, "mine")
    assert found.command is None
    assert "contains no such sweep" in found.note
