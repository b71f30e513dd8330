"""The hosts of a fleet are no repeats: no analysis pools them. Those of other sweeps are pooled as before."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_fleets import MadeFleet
from made_nights import write_rows
from made_reports import source_of
from made_sweeps import Rows, tables, together
from rich.console import Console

import l2sweep
from l2sweep.analysis.compare.comparison import compare_tables
from l2sweep.analysis.compare.controls import control_of_each
from l2sweep.analysis.compare.result import ComparisonResult
from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.fleet.hosts import FLEET_HOST, with_fleet_hosts
from l2sweep.analysis.history.changes import histories
from l2sweep.analysis.report.measured import Measured
from l2sweep.analysis.tune.recommendation import recommend
from l2sweep.cli.command_group import run_command
from l2sweep.records.reading.comparing import compare_by
from l2sweep.sweep.terminal.results.result_rows import result_rows
from l2sweep.sweep.terminal.results.result_table import print_result_table

HOSTS = ["host-0", "host-1", "host-2"]
SMALL: dict[str, Any] = {"hosts": 3, "sizes_kb": (4096,), "phases": ("load",)}


def rows_of(number: int = 0, **changes: Any) -> Rows:
    return tables(*MadeFleet(number, **{**SMALL, **changes}).lists())


def compared(base: Rows, candidate: Rows) -> ComparisonResult:
    rounds, points = (list(sides) for sides in zip(base, candidate, strict=True))
    return compare_tables(rounds, points, controls=CONTROLS)


def test_the_host_of_a_row_is_that_of_a_fleet_alone() -> None:
    rows = [{"host": "a", "fleet": True}, {"host": "a", "fleet": False}, {"host": "a", "fleet": None}, {}]
    assert [row[FLEET_HOST] for row in with_fleet_hosts(rows)] == ["a", None, None, None]


@pytest.mark.parametrize(("is_fleet", "expected"), [(True, HOSTS), (False, [])])
def test_the_reader_adds_the_host_to_both_data_sets(tmp_path: Path, is_fleet: bool, expected: Any) -> None:
    write_rows(tmp_path, *MadeFleet(**SMALL, is_fleet=is_fleet).lists())
    for load in (l2sweep.load_rounds, l2sweep.load_points):
        column = load(tmp_path, columns=[FLEET_HOST])[FLEET_HOST]
        assert column.dropna().unique().tolist() == expected
    loaded = l2sweep.load_rounds(tmp_path, where="fleet_host == 'host-1'")
    assert len(loaded) == (9 if is_fleet else 0)


@pytest.mark.parametrize("by", [None, "adapter_type"])
def test_a_summary_has_a_row_for_each_host(by: str | None) -> None:
    rounds, points = (table.to_pandas() for table in rows_of(factors={"host-1": 2.0}))
    found = l2sweep.summarize(rounds, by, points=points)
    assert found[FLEET_HOST].tolist() == HOSTS
    assert found["processes"].tolist() == [3, 3, 3]
    assert found["median_s"][1] / found["median_s"][0] == pytest.approx(2, rel=0.05)


def test_hosts_of_a_sweep_that_is_no_fleet_are_pooled_as_before() -> None:
    rounds, points = (table.to_pandas() for table in rows_of(is_fleet=False))
    (row,) = l2sweep.summarize(rounds, points=points).to_dict("records")
    assert row["processes"] == 9


def test_a_host_without_a_round_has_a_row_of_its_own() -> None:
    rounds, points = MadeFleet(**SMALL).lists()
    rounds = [row for row in rounds if row["host"] != "host-1"]
    for row in points:
        row["status"] = "crashed" if row["host"] == "host-1" else "ok"
    frames = [table.to_pandas() for table in tables(rounds, points)]
    found = l2sweep.summarize(frames[0], points=frames[1])
    failed = dict(zip(found[FLEET_HOST], found["failed_processes"], strict=True))
    assert (failed["host-1"], failed["host-0"], failed["host-2"]) == (3, 0, 0)


def test_the_table_of_a_running_fleet_has_the_column_host() -> None:
    rounds, points = MadeFleet(**SMALL).lists()
    rows = result_rows(rounds, points)
    console = Console(width=200, record=True)
    print_result_table(console, rows)
    header, *lines = [line.split() for line in console.export_text().splitlines()[1:]]
    assert header[:3] == ["point", "host", "phase"]
    assert [host for line in lines for host in line if host in HOSTS] == HOSTS


def test_an_option_of_the_adapter_named_host_has_another_title() -> None:
    rounds, points = MadeFleet(**SMALL).lists()
    for row in points:
        row.update(adapter_spec=f'{{"type": "resp", "host": "server-{row["repeat"]}"}}')
        row["point_id"] = f"point-{row['repeat']}"
    for row in rounds:
        row["point_id"] = f"point-{row['repeat']}"
    rows = result_rows(rounds, points)
    console = Console(width=200, record=True)
    print_result_table(console, rows)
    assert re.search(r"host +adapter.host|adapter.host +host", console.export_text())


def test_a_comparison_compares_each_host_with_itself() -> None:
    result = compared(rows_of(0), rows_of(1, factors={"host-1": 1.5}))
    verdicts = {one.point.fleet_host: (one.verdict, one.base_processes) for one in result.points}
    assert verdicts["host-1"] == ("slower", 3)
    assert {verdicts[host][0] for host in ("host-0", "host-2")} <= {"same", "inconclusive"}
    assert "on host-1" in result.headline or result.headline.startswith("slower")


def test_a_failure_on_one_host_is_new_although_another_host_failed_before() -> None:
    rounds, points = MadeFleet(0, **SMALL).lists()
    for row in rounds:
        if row["host"] == "host-2":
            row.update(status="error", detail="old")
    base = tables(rounds, points)
    rounds, points = MadeFleet(1, **SMALL).lists()
    for row in rounds:
        if row["host"] in ("host-1", "host-2"):
            row.update(status="error", detail="new")
    result = compared(base, tables(rounds, points))
    (failure,) = result.new_failures
    assert failure.point is not None
    assert failure.point.fleet_host == "host-1"


def test_two_hosts_of_a_fleet_are_compared_by_host(tmp_path: Path) -> None:
    write_rows(tmp_path, *MadeFleet(**SMALL, factors={"host-1": 1.5}).lists())
    found = compare_by("latest", "host", results_dir=tmp_path)
    assert found.base == "host-0"
    assert {host: result.verdict for host, result in found.results.items()}["host-1"] == "slower"


def test_the_text_of_a_comparison_has_the_column_host(tmp_path: Path, capsys: Any) -> None:
    write_rows(tmp_path, *MadeFleet(0, **SMALL).lists())
    write_rows(tmp_path, *MadeFleet(1, **SMALL, factors={"host-1": 1.5}).lists())
    arguments = ["compare", "fleet-000", "fleet-001", "--results-dir", str(tmp_path), "--all"]
    assert run_command(arguments) == 1
    out = capsys.readouterr().out
    assert re.search(r"^slower +host-1 ", out, re.MULTILINE)


def test_a_history_has_a_series_for_each_host(tmp_path: Path, capsys: Any) -> None:
    nights = [rows_of(number, factors={"host-1": 2.0 if number > 7 else 1.0}) for number in range(12)]
    rounds, points = together(*nights)
    profiles = rounds.column("profile")
    assert profiles.null_count == len(profiles)
    found = {one.point.fleet_host: one for one in histories(rounds, lambda: points)}
    assert sorted(found) == HOSTS
    assert [host for host, one in found.items() if one.changes] == ["host-1"]
    for number in range(12):
        write_rows(tmp_path, *MadeFleet(number, **SMALL).lists())
    assert run_command(["history", "--results-dir", str(tmp_path)]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert "host" in header.split()
    assert sum("host-1" in line for line in lines) == 1


def test_a_change_of_one_host_is_not_explained_by_the_environment_of_another() -> None:
    kernels = {"host-0": {"kernel": "Linux 6.8"}, "host-1": {"python_version": "3.12.1"}}
    nights = [
        rows_of(number, factors={"host-1": 2.0}, changes=kernels) if number > 7 else rows_of(number)
        for number in range(12)
    ]
    rounds, points = together(*nights)
    (changed,) = (one for one in histories(rounds, lambda: points) if one.changes)
    assert changed.point.fleet_host == "host-1"
    assert changed.changes[0].environment == ("Python 3.11.7 → 3.12.1",)


def test_the_control_of_a_point_is_that_of_its_host() -> None:
    rounds, _ = rows_of()
    (first, second, _) = (one.point for one in histories(rounds, lambda: rows_of()[1]))
    controls = [replace(one, adapter="fio") for one in (second, first)]
    assert control_of_each([first, second], controls, CONTROLS) == [1, 0]


def test_a_recommendation_is_made_for_each_host() -> None:
    rounds, points = (table.to_pandas() for table in rows_of(sizes_kb=(4096,), depths=(1, 4)))
    found = recommend(rounds, points=points)
    assert [(one.settings[0].host, len(one.settings)) for one in found.adapters] == [
        (host, 2) for host in HOSTS
    ]
    assert {len(one.rates) for one in found.settings} == {3}


def test_the_table_of_a_report_has_a_row_for_each_host() -> None:
    rounds, points = MadeFleet(**SMALL).lists()
    measured = Measured.of(source_of(rounds, points))
    assert [row.fleet_host for row in measured.points] == HOSTS
    assert [row.processes for row in measured.points] == [3, 3, 3]
    assert isinstance(measured.source.rounds, pd.DataFrame)
