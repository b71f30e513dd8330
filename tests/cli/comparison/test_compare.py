"""Tests of ``l2sweep compare``: selectors, output formats and exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest
from made_nights import write_rows
from made_sweeps import MadeSweep
from sample_rows import Row

import l2sweep
from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError

SLOWER = {("fs", "load"): 1.15}
FORMATS = ("table", "markdown", "csv", "json", "junit")


def write(results: Path, sweep: MadeSweep) -> None:
    write_rows(results, *sweep.lists())


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for number in range(4):
        write(tmp_path, MadeSweep(number, ("fs",), repeats=3, night_deviation=0.005))
    changes = {"lmcache_version": "0.5.7"}
    write(tmp_path, MadeSweep(4, ("fs",), night_deviation=0.005, factors=SLOWER, changes=changes))
    return tmp_path


def compare(results: Path, *arguments: str) -> int:
    return run_command(["compare", *arguments, "--results-dir", str(results)])


def test_the_answer_is_the_first_line_and_the_exit_code(results: Path, capsys: Any) -> None:
    assert compare(results, "name:nightly~1..4", "name:nightly") == 1
    out = capsys.readouterr().out
    assert out.startswith("slower: 8 of 16 points, fs load over 8 points takes 1")
    assert "LMCache" in out
    assert "0.5.7" in out
    assert max(map(len, out.splitlines()[1:])) <= 120
    assert compare(results, "latest~2..4", "latest~1") == 0
    assert capsys.readouterr().out.startswith("nothing slower")


def test_only_what_is_loud_is_shown_unless_all_is_asked_for(results: Path, capsys: Any) -> None:
    compare(results, "latest~1..4", "latest")
    short = capsys.readouterr().out
    compare(results, "latest~1..4", "latest", "--all")
    long = capsys.readouterr().out
    assert short.count("\nsame ") < long.count("\nsame ")
    assert "--all shows every point" in short
    assert max(map(len, long.splitlines()[1:])) <= 120


def test_strict_has_an_exit_code_of_its_own(results: Path, capsys: Any) -> None:
    assert compare(results, "latest~2", "latest~1") == 0
    assert compare(results, "latest~2", "latest~1", "--strict") == 3


def test_a_threshold_is_a_share_or_in_percent(results: Path, capsys: Any) -> None:
    assert compare(results, "latest~1..4", "latest", "--threshold", "30%") == 0
    assert compare(results, "latest~1..4", "latest", "--threshold", "0.3") == 0
    assert compare(results, "latest~1..4", "latest", "--threshold", "10%") == 1


def test_a_phase_and_a_condition_choose_what_is_compared(results: Path, capsys: Any) -> None:
    assert compare(results, "latest~1..4", "latest", "--phase", "store") == 0
    assert (
        compare(results, "latest~1..4", "latest", "--where", "data_size_kb > 8192", "--format", "json") == 1
    )
    points = json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))["points"]
    assert {point["data_size_kb"] for point in points} == {16384, 32768}


def test_json_csv_and_the_api_agree(results: Path, capsys: Any) -> None:
    result = l2sweep.compare("latest~1..4", "latest", results_dir=results)
    compare(results, "latest~1..4", "latest", "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert found["headline"] == result.headline
    assert [point["ratio"] for point in found["points"]] == [one.ratio for one in result.points]
    compare(results, "latest~1..4", "latest", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["ratio"]) for row in rows] == [one.ratio for one in result.points]
    frame = result.to_frame()
    assert list(frame["verdict"]) == [row["verdict"] for row in rows]


def test_junit_has_a_failure_for_each_slower_point(results: Path, capsys: Any) -> None:
    compare(results, "latest~1..4", "latest", "--format", "junit")
    suite = ElementTree.fromstring(capsys.readouterr().out)
    result = l2sweep.compare("latest~1..4", "latest", results_dir=results)
    slower = [one for one in (*result.points, *result.totals) if one.verdict == "slower"]
    assert int(suite.get("failures", "0")) == len(suite.findall("testcase/failure")) == len(slower)
    assert (
        int(suite.get("tests", "0"))
        == len(suite.findall("testcase"))
        == len(result.points) + len(result.totals)
    )


def test_points_that_differ_in_an_option_are_different_junit_cases(tmp_path: Path, capsys: Any) -> None:
    for number in range(2):
        rounds: list[Row] = []
        points: list[Row] = []
        for workers in (1, 2, 8):
            spec = json.dumps({"type": "fs", "num_workers": workers})
            changes = {"adapter_spec": spec, "point_id": f"fs-{workers}"}
            sweep = MadeSweep(
                number, ("fs",), sizes_kb=(4096,), depths=(1,), phases=("load",), changes=changes
            )
            own = sweep.lists()
            for row in (*own[0], *own[1]):
                row["point_index"] += 10 * workers
            rounds += own[0]
            points += own[1]
        write_rows(tmp_path, rounds, points)
    compare(tmp_path, "latest~1", "latest", "--format", "junit")
    suite = ElementTree.fromstring(capsys.readouterr().out)
    names = [case.get("name", "") for case in suite.findall("testcase")]
    assert len(set(names)) == len(names) == 4  # the total, and three points


def test_frames_of_rounds_are_compared_like_selectors(results: Path) -> None:
    frames = [l2sweep.load_rounds(results, sweep=one) for one in ("latest~1..4", "latest")]
    by_frames = l2sweep.compare(*frames)
    by_selectors = l2sweep.compare("latest~1..4", "latest", results_dir=results)
    assert by_frames.points == by_selectors.points
    tables = [pa.Table.from_pandas(frame, preserve_index=False) for frame in frames]
    assert l2sweep.compare(*tables).totals == by_selectors.totals


def test_two_folders_can_be_compared(results: Path, tmp_path_factory: Any, capsys: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    write(other, MadeSweep(4, ("fs",)))
    assert compare(results, f"{results}@latest~1", f"{other}@latest") in (0, 1)


def test_nothing_in_common_is_refused_and_says_why(results: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("other")
    write(other, MadeSweep(5, ("fs",), depths=(16,)))
    with pytest.raises(RequestError, match=r"differ in in_flight \(1, 16\)"):
        compare(results, "latest", f"{other}@latest")


def test_a_sweep_is_not_compared_with_itself(results: Path) -> None:
    with pytest.raises(RequestError, match="night-004 is in the base and in the candidate"):
        compare(results, "latest~0..2", "latest")


@pytest.mark.parametrize("output_format", FORMATS)
def test_control_characters_of_a_record_do_not_reach_the_terminal(
    tmp_path: Path, capsys: Any, output_format: str
) -> None:
    hostile = {"lmcache_version": "\x1b[31mred\nline", "model": "\x1b]0;title\x07"}
    write(tmp_path, MadeSweep(1, ("fs",), sizes_kb=(4096,)))
    write(tmp_path, MadeSweep(2, ("fs",), sizes_kb=(4096,), changes=hostile))
    compare(tmp_path, "latest~1", "latest", "--format", output_format)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
