"""Tests of ``l2sweep fleet``: output formats and exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from made_fleets import MadeFleet
from made_nights import write_rows

from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError

SLOW = MadeFleet(factors={"host-3": 1.15}, changes={"host-3": {"kernel": "Linux 5.4"}})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_rows(tmp_path, *SLOW.lists())
    return tmp_path


def fleet(results: Path, *arguments: str) -> int:
    return run_command(["fleet", *arguments, "--results-dir", str(results)])


def test_the_answer_is_the_first_line_and_the_exit_code(results: Path, capsys: Any) -> None:
    assert fleet(results) == 1
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("host-3 is slow: its rate is 1")
    assert "below the median of 8 hosts in all phases (score -" in first
    assert "corrected p = 0.0" in first
    header = lines.index("") + 1
    assert lines[header].split()[:5] == ["host", "verdict", "rate", "store", "load"]
    assert lines[header + 1].split()[:2] == ["host-3", "slow"]
    assert len([line for line in lines if line.startswith("host-")]) == 9  # 8 hosts, and its environment
    assert any(line.split() == ["host-3", "kernel", "Linux", "5.4", "Linux", "6.1", "7"] for line in lines)
    assert max(map(len, lines)) <= 160


def test_equal_hosts_end_with_exit_code_0(tmp_path: Path, capsys: Any) -> None:
    write_rows(tmp_path, *MadeFleet(1).lists())
    assert fleet(tmp_path) == 0
    assert capsys.readouterr().out.startswith("none of 8 hosts is slow or failed\n")


def test_strict_has_an_exit_code_of_its_own(tmp_path: Path, capsys: Any) -> None:
    write_rows(tmp_path, *MadeFleet(hosts=2, factors={"host-1": 1.5}).lists())
    assert fleet(tmp_path) == 0
    assert fleet(tmp_path, "--strict") == 3


def test_a_threshold_is_a_share_or_in_percent(results: Path, capsys: Any) -> None:
    assert fleet(results, "--threshold", "30%") == 0
    assert fleet(results, "--threshold", "0.1") == 1


def test_a_phase_and_a_condition_choose_the_rows(results: Path, capsys: Any) -> None:
    assert fleet(results, "--phase", "load", "--where", "data_size_kb == 4096", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["phases"], found["points"]) == (["load"], 1)
    assert found["hosts"][0]["findings"][0]["where"] == "fs load at 4096 KiB, 1 in flight"


def test_csv_has_a_row_for_each_host(results: Path, capsys: Any) -> None:
    fleet(results, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 8
    assert (rows[0]["host"], rows[0]["verdict"], rows[0]["where"]) == ("host-3", "slow", "all phases")
    assert float(rows[0]["load_relative_rate"]) == pytest.approx(1 / 1.15, rel=0.03)
    assert rows[0]["failed_processes"] == "0"


def test_json_has_everything(results: Path, capsys: Any) -> None:
    fleet(results, "--format", "json")
    found = json.loads(capsys.readouterr().out)
    assert found["sweeps"] == [SLOW.sweep_id]
    assert found["exit_code"] == 1
    assert [len(found["hosts"]), len(found["sentences"])] == [8, 1]
    (difference,) = found["hosts"][0]["environment"]
    assert difference == {"name": "kernel", "value": "Linux 5.4", "others": "Linux 6.1", "hosts": 7}


def test_markdown_has_the_answer_in_bold_and_tables(results: Path, capsys: Any) -> None:
    fleet(results, "--format", "markdown")
    out = capsys.readouterr().out
    assert out.startswith("**host-3 is slow: ")
    assert "| host-3 | slow |" in out
    assert "| host-3 | kernel | Linux 5.4 | Linux 6.1 | 7 |" in out


def test_a_sweep_with_one_host_is_refused_in_one_line(tmp_path: Path) -> None:
    write_rows(tmp_path, *MadeFleet(hosts=1).lists())
    with pytest.raises(
        RequestError, match="fleet: needs rows of several hosts; these sweeps have only host-0"
    ):
        fleet(tmp_path)


def test_several_releases_are_refused(tmp_path: Path) -> None:
    rounds, points = MadeFleet(hosts=3).lists()
    for row in rounds:
        row["release"] = ("0.5.5", "0.5.6")[row["repeat"] % 2]
    write_rows(tmp_path, rounds, points)
    with pytest.raises(RequestError, match=r"several releases of LMCache \(0.5.5, 0.5.6\)"):
        fleet(tmp_path)
