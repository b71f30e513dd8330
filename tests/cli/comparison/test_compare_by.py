"""``l2sweep compare --by``: which release made a thing slower, within one sweep."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from made_nights import write_rows
from made_sweeps import MadeSweep
from sample_rows import Row

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError
from l2sweep.records.reading.comparing import compare_by

RELEASES = ("0.5.3", "0.5.6", "0.5.10")


def mixed(**factors: float) -> tuple[list[Row], list[Row]]:
    """Return one sweep over three releases. A factor, such as ``_0_5_6``, slows the loads of fs."""
    rounds: list[Row] = []
    points: list[Row] = []
    for place, release in enumerate(reversed(RELEASES)):
        slower = factors.get(f"_{release.replace('.', '_')}", 1.0)
        sweep = MadeSweep(1, ("fs", "fs_native"), depths=(1,), factors={("fs", "load"): slower})
        own = sweep.lists()
        for row in (*own[0], *own[1]):
            row |= {
                "release": release,
                "lmcache_version": release,
                "point_index": row["point_index"] + place * len(own[1]),
            }
        rounds += own[0]
        points += own[1]
    return rounds, points


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_rows(tmp_path, *mixed(_0_5_10=1.2))
    return tmp_path


def compare(results: Path, *arguments: str) -> int:
    return run_command(["compare", *arguments, "--results-dir", str(results)])


def test_the_release_that_is_slower_is_named_with_what_and_how_much(results: Path, capsys: Any) -> None:
    assert compare(results, "latest", "--by", "release") == 1
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split() == ["release", "against", "0.5.3", "answer"]
    assert lines[1].startswith("0.5.6                  nothing slower: ")
    assert lines[2].startswith("0.5.10                 slower: 4 of 16 points, fs load over 4 points takes 2")
    assert "release 0.5.10 against 0.5.3" in lines


def test_every_number_is_that_of_the_two_releases_alone(results: Path) -> None:
    found = compare_by("latest", "release", results_dir=results)
    assert (found.base, list(found.results), found.exit_code()) == ("0.5.3", ["0.5.6", "0.5.10"], 1)
    loads = {
        value: [one.ratio for one in result.points if (one.point.adapter, one.point.phase) == ("fs", "load")]
        for value, result in found.results.items()
    }
    assert loads["0.5.6"] == [1.0] * 4  # the made rows are the same
    assert loads["0.5.10"] == pytest.approx([1.2] * 4)
    environment = {one.name: (one.base, one.candidate) for one in found.results["0.5.6"].environment}
    assert environment == {"LMCache": ("0.5.3", "0.5.6")}


def test_all_formats_have_every_release(results: Path, capsys: Any) -> None:
    compare(results, "latest", "--by", "release", "--format", "json")
    data = json.loads(capsys.readouterr().out)
    assert (data["by"], data["base"], list(data["comparisons"])) == ("release", "0.5.3", ["0.5.6", "0.5.10"])
    assert data["comparisons"]["0.5.10"]["verdict"] == "slower"
    compare(results, "latest", "--by", "release", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["release"] for row in rows] == ["0.5.6"] * 16 + ["0.5.10"] * 16
    compare(results, "latest", "--by", "release", "--format", "junit")
    suites = ElementTree.fromstring(capsys.readouterr().out)
    assert [one.get("name") for one in suites] == [
        "release=0.5.6 against 0.5.3",
        "release=0.5.10 against 0.5.3",
    ]
    compare(results, "latest", "--by", "release", "--format", "markdown")
    assert "\n## release 0.5.10 against 0.5.3\n" in capsys.readouterr().out


def test_a_release_that_measures_nothing_is_named_and_the_others_are_compared(
    tmp_path: Path, capsys: Any
) -> None:
    rounds, points = mixed()
    for row in points:
        if row["release"] == "0.5.6":
            row |= {"status": "refused", "detail": "no such adapter", "lmcache_version": None}
    write_rows(tmp_path, [row for row in rounds if row["release"] != "0.5.6"], points)
    assert compare(tmp_path, "latest", "--by", "release") == 1
    out = capsys.readouterr().out
    assert "not comparable: no round was measured (refused: no such adapter)" in out
    assert "release 0.5.10 against 0.5.3" in out


def test_a_condition_chooses_the_releases(results: Path) -> None:
    found = compare_by("latest", "release", results_dir=results, where="release != '0.5.3'")
    assert (found.base, list(found.results), dict(found.not_comparable)) == ("0.5.6", ["0.5.10"], {})


def test_two_sides_never_pool_the_releases_of_a_point(results: Path, tmp_path: Path) -> None:
    write_rows(tmp_path, *MadeSweep(2, ("fs", "fs_native"), depths=(1,)).lists())
    with pytest.raises(RequestError) as refused:
        compare(results, "latest~1", "latest")
    assert "the base measured the same points with several releases of LMCache (0.5.10, 0.5.3, 0.5.6)" in str(
        refused.value
    )
    assert (
        compare(results, "latest~1", "latest", "--where", "release != '0.5.6' and release != '0.5.10'") == 0
    )
    with pytest.raises(RequestError, match="history: night-001 measured the same points with several rel"):
        run_command(["history", "night-001", "--results-dir", str(results)])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["latest"], "^compare: neither CANDIDATE nor --by is given; see --help$"),
        (
            ["latest", "latest", "--by", "release"],
            "--by release: compares within BASE, so CANDIDATE must not",
        ),
        (
            ["latest", "--by", "relase"],
            "compare: --by relase: must be a column of points; did you mean release?",
        ),
        (
            ["latest", "--by", "host"],
            "compare: --by host: must have several values in latest; it has only bench-",
        ),
        (["latest", "--by", "in_flight"], "--by in_flight: must have several values"),
        (["latest", "--by", "data_size_kb"], "compare: --by data_size_kb: not comparable: "),
    ],
)
def test_a_wrong_request_is_one_line(results: Path, arguments: list[str], line: str) -> None:
    with pytest.raises(RequestError, match=line):
        compare(results, *arguments)
