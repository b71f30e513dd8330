"""Tests of l2sweep.cli.commands.history."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from made_nights import small_night, write_nights

import l2sweep
from l2sweep.cli.command_group import run_command
from l2sweep.errors import RequestError

SLOW = {("fs", "load", 8192): 1.2}
NIGHTS = 12


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 12 nights; fs loads of 8 MiB are slower since the night with another LMCache."""
    folder = tmp_path_factory.mktemp("nights")
    old = (small_night(number) for number in range(8))
    new = (small_night(n, factors=SLOW, changes={"lmcache_version": "0.5.7"}) for n in range(8, NIGHTS))
    write_nights(folder, [*old, *new])
    return folder


@pytest.fixture
def run(nights: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> str:
        assert run_command(["history", *arguments, f"--results-dir={nights}"]) == 0
        return capsys.readouterr().out

    return run


def test_the_table_shows_the_change_first_with_the_night_and_the_environment(run: Any) -> None:
    head, first, *lines = run().splitlines()
    assert head.split()[:3] == ["point", "adapter", "keys"]
    assert re.match(r"fs-8192- +fs +4 +1 +8192 +load +cold .* \+\d\d\.\d% +11-09 +\S{12}", first)
    assert lines[-3:] == [
        "",
        "12 nights, 8 points and phases: the level of 1 has changed",
        "2026-11-09: LMCache 0.5.6 → 0.5.7",
    ]
    assert len(lines) == 7 + 3
    assert max(map(len, [head, first, *lines])) <= 120


def test_every_number_is_recomputed_from_the_rows(run: Any, nights: Path) -> None:
    rows = l2sweep.load_rounds(nights)
    rows = rows[~rows["is_warmup"] & (rows["status"] == "ok")]
    processes = rows.groupby(["point_id", "phase", "sweep_id", "point_index"])["duration_s"].median()
    values = processes.groupby(["point_id", "phase", "sweep_id"]).median().unstack()
    printed = json.loads(run("--format", "json"))
    assert len(printed) == len(values) == 8
    for row in printed:
        series = values.loc[row["point_id"], row["phase"]]
        assert row["durations_s"] == pytest.approx(series.to_dict())
        assert row["first_ms"] == pytest.approx(series.iloc[0] * 1000)
        assert row["last_ms"] == pytest.approx(series.iloc[-1] * 1000)
        assert row["nights"] == NIGHTS
        for change in row["changes"]:
            position = list(series.index).index(change["since"])
            before, after = series.iloc[:position].median(), series.iloc[position:].median()
            assert change["before_s"] == pytest.approx(before)
            assert change["after_s"] == pytest.approx(after)
            assert row["change_percent"] == change["percent"] == pytest.approx((after / before - 1) * 100)
    assert [bool(row["changes"]) for row in printed] == [True] + [False] * 7


def test_rows_are_selected(run: Any) -> None:
    def points(*arguments: str) -> set[tuple[str, str]]:
        rows = csv.DictReader(io.StringIO(run("--format", "csv", *arguments)))
        return {(row["point_id"], row["phase"]) for row in rows}

    assert points("--changed") == {("fs-8192-1", "load")}
    assert points("--phase", "load", "--points", "fs-4,fio-4") == {
        ("fs-4096-1", "load"),
        ("fio-4096-1", "load"),
    }
    assert points("--where", "adapter.type == 'fio' and data_size_kb > 4096") == {
        ("fio-8192-1", "store"),
        ("fio-8192-1", "load"),
    }


def test_a_single_sweep_stands_for_the_nights_up_to_it_and_several_for_themselves(run: Any) -> None:
    assert "8 nights, 8 points and phases: the level of 0 has changed" in run("night-007")
    few = run("name:nightly~0..3")
    assert "4 nights, 8 points" in few
    assert "8 have fewer than 8 nights, too few to find changes" in few


def test_markdown_names_what_changed(run: Any) -> None:
    head, _, row = run("--format", "markdown", "--changed").splitlines()
    assert head.startswith("| point | adapter |")
    assert row.endswith("| LMCache 0.5.6 → 0.5.7 |")


def test_a_selection_without_a_series_is_refused(nights: Path) -> None:
    with pytest.raises(RequestError, match="history: no complete process of latest matches"):
        run_command(["history", f"--results-dir={nights}", "--points", "nowhere"])


def test_quiet_nights_import_neither_pandas_nor_ruptures(nights: Path) -> None:
    code = (
        "import sys\nfrom l2sweep.cli.command_group import run_command\n"
        f"run_command(['history', 'night-007', '--results-dir={nights}', '--format=csv'])\n"
        "print([name for name in ('pandas', 'ruptures', 'scipy', 'torch', 'hydra') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
