"""Tests of l2sweep.cli.commands.report, over made nights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_nights import small_night, write_nights, write_rows
from made_reports import made_rows

import l2sweep
from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError, UnreadableRecordsWarning
from l2sweep.records.storage.layout import record_path


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three nights of fs and fio; in the last one, fs loads are slower."""
    folder = tmp_path_factory.mktemp("nights")
    write_nights(folder, [small_night(0), small_night(1), small_night(2, factors={("fs", "load"): 1.5})])
    return folder


def report(results_dir: Path, folder: Path, *arguments: str) -> Any:
    """Run the command for the JSON alone, and return it."""
    file = folder / "report.json"
    assert run_command(["report", *arguments, "--json", str(file), f"--results-dir={results_dir}"]) == 0
    return json.loads(file.read_text())


def test_the_data_are_those_of_the_selected_sweep(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(nights, tmp_path, "latest~1")
    assert capsys.readouterr().out == f"{tmp_path / 'report.json'}\n"
    assert found["scope"]["sweep_ids"] == ["night-001"]
    rounds = l2sweep.load_rounds(nights, sweep="night-001")
    assert found["scope"]["rounds"] == len(rounds)
    for row in found["points"]:
        own = rounds[(rounds["point_id"] == row["point_id"]) & (rounds["phase"] == row["phase"])]
        medians = own.groupby("point_index")["duration_s"].median()
        assert row["median_s"] == pytest.approx(np.median(medians)) or row["rounds"] == 0
    assert found["compared"] is None
    assert found["verdict"]["compared"] is None


def test_the_base_and_the_nights_are_in_it(nights: Path, tmp_path: Path) -> None:
    found = report(nights, tmp_path, "latest", "--base", "latest~1..2")
    result = l2sweep.compare("latest~1..2", "latest", results_dir=nights)
    assert found["compared"]["headline"] == result.headline
    assert found["verdict"]["compared"] == f"Against the base (2 sweeps): {result.headline}."
    assert found["scope"]["base_ids"] == ["night-000", "night-001"]
    assert found["nights"]["sweep_ids"] == ["night-000", "night-001", "night-002"]


def test_the_history_ends_with_the_reported_night(nights: Path, tmp_path: Path) -> None:
    assert report(nights, tmp_path, "latest~1")["nights"]["sweep_ids"] == ["night-000", "night-001"]
    assert report(nights, tmp_path, "latest~2")["nights"] is None


def test_a_condition_selects_points_for_all_sections(nights: Path, tmp_path: Path) -> None:
    condition = "adapter.type == 'fs' and data_size_kb == 4096"
    found = report(nights, tmp_path, "latest", "--base", "latest~1", "--where", condition)
    assert {(row["adapter"], row["data_size_kb"]) for row in found["points"]} == {("fs", 4096)}
    assert {row["adapter"] for row in found["compared"]["rows"]} == {"fs"}
    assert {one["adapter"] for one in found["nights"]["series"]} == {"fs"}
    assert found["scope"]["where"] == condition


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("latest", "--where", "phase == 'load'"),
            r"report: --where phase == 'load': must be a condition on whole",
        ),
        (("latest", "--where", "num_keys >"), r"^where="),
        (("latest", "--where", "num_keys == 99"), r"report: latest: no process meets the conditions"),
        (("latest", "--base", "latest"), r"report: sweep night-002 is in the base and in the report"),
        (("latest", "--base", "name:none"), r"has no sweep with this name"),
        (("latest~7",), r"has only 3 sweeps"),
        (
            ("latest", "-o", "/proc/report.html"),
            r"report: -o /proc/report.html: must be a file that can be written",
        ),
        (("latest", "--json", "/"), r"report: --json /: must be a file that can be written"),
    ],
)
def test_a_wrong_request_is_a_line_and_writes_nothing(
    nights: Path, tmp_path: Path, arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=message) as error:
        run_command(["report", *arguments, f"--results-dir={nights}"])
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_base_without_a_common_point_leaves_the_rest_of_the_report(tmp_path: Path) -> None:
    write_rows(tmp_path, *made_rows(0, adapters=("fs",), sizes_kb=(256,), depths=(1,)))
    write_rows(tmp_path, *made_rows(1, adapters=("fs",), sizes_kb=(1024,), depths=(1,)))
    found = report(tmp_path, tmp_path, "latest", "--base", "latest~1")
    assert found["compared"] is None
    assert found["verdict"]["compared"].startswith("There is no comparison with the base: not comparable: ")
    assert found["verdict"]["sentence"].startswith("For cold loads, fs is the only adapter")


def test_a_damaged_file_is_a_warning_of_the_report(tmp_path: Path) -> None:
    write_rows(tmp_path, *made_rows(0, adapters=("fs",), sizes_kb=(256,), depths=(1,)))
    damaged = record_path(tmp_path, "rounds", "night-000.00001.1")
    damaged.write_bytes(b"PAR1")
    with pytest.warns(UnreadableRecordsWarning):
        found = report(tmp_path, tmp_path)
    assert any(damaged.name in text for text in found["warnings"])


def test_a_sweep_whose_processes_all_died_has_a_report(tmp_path: Path) -> None:
    _, points = made_rows(0, adapters=("fs",), sizes_kb=(256,), depths=(1,))
    for row in points:
        row.update(status="crashed", detail="signal 11")
    write_rows(tmp_path, [], points)
    found = report(tmp_path, tmp_path)
    assert found["verdict"]["sentence"].startswith("Nothing to recommend: ")
    assert found["all_failures"] == 3
