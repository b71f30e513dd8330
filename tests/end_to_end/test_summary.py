"""Every number that ``l2sweep summary`` prints follows from the Parquet files, by plain pandas and scipy."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Run, RunL2Sweep, l2sweep_environment, plugin_option
from recomputed_summary import KEYS, check

import l2sweep
from l2sweep.cli.application import main
from l2sweep.process.starter import ProcessStarter

Row = dict[str, Any]
Summary = Callable[..., str]
SMALL = ("in_flight=2", "data_size_kb=64", "rounds=4", "warmup_rounds=1", "lookup_max_hit_rate=0.5")


def recorded(run: Run, sweep_id: str, data_set: str) -> pd.DataFrame:
    """Return the rows of a sweep as pandas reads each file."""
    files = (run.results_dir / data_set).rglob(f"{sweep_id}*.parquet")
    return pd.concat([pd.read_parquet(file) for file in sorted(files)], ignore_index=True)


@pytest.fixture(scope="module")
def swept(starter: ProcessStarter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Run small sweeps into one folder, and return the run of each by its id."""
    folder = tmp_path_factory.mktemp("swept")

    def faulty(name: str) -> str:
        return plugin_option("faulty_adapters", name, base_path=str(folder / "kv"))

    sweeps = {
        "repeats": ["adapter=fs", "num_keys=2,4", "repeats=6", "cache.store_durable=true"],
        "failures": ["adapter=fault_inject", "adapter.rate=0.5", "num_keys=4", "repeats=2"],
        "time-outs": [faulty("LostStore"), "num_keys=2,4", "only=store", "timeout_s.store=0.5"],
        "crash": [faulty("CrashingStore"), "num_keys=2,4"],
    }
    runs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, options in sweeps.items():
            (folder / "fault_at").write_text({"time-outs": "6", "crash": "6"}.get(name, "0"))
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                exit_code = main(["-m", *options, *SMALL, f"sweep_id={name}"], starter)
            runs[name] = Run(exit_code, out.getvalue(), err.getvalue(), folder / "results")
    assert [run.exit_code for run in runs.values()] == [0, 1, 1, 1], runs
    return runs


@pytest.fixture
def summary(swept: dict[str, Run], run_l2sweep: RunL2Sweep) -> Callable[..., str]:
    """Return what the command prints."""

    def printed(sweep_id: str, *arguments: str) -> str:
        run = run_l2sweep("summary", sweep_id, "--results-dir", str(swept["crash"].results_dir), *arguments)
        assert run.exit_code == 0, run.err
        return run.out

    return printed


def test_every_number_is_that_of_the_rows(swept: dict[str, Run], summary: Summary) -> None:
    seen: set[str] = set()
    for sweep_id, run in swept.items():
        rows = json.loads(summary(sweep_id, "--format", "json"))
        rounds, points = (recorded(run, sweep_id, name) for name in ("rounds", "points"))
        check(rows, rounds, points, ["point_id"])
        seen |= {name for row in rows for name, value in row.items() if value not in (None, 0, "")}
        repeats = json.loads(summary(sweep_id, "--format", "json", "--repeats"))
        check(repeats, rounds, points, ["point_id", "point_index"])
        assert len(repeats) >= len(rows)
        for row in (*rows, *repeats):
            assert (row["failed_processes"] == 0) == (row["status"] == "ok")
    # No value is only ever missing or 0, except those of a wrong adapter, a large sample and open rounds.
    missing = {name for name in set(rows[0]) - set(KEYS) - seen if not name.startswith("adapter.")}
    rare = {"false_hits", "false_misses", "mismatched_keys", "evicted_keys", "p99_s", "submit_p99_s"}
    assert missing <= {*rare, "rounds_ended"}


def test_what_failed_is_named_beside_its_numbers(swept: dict[str, Run], summary: Summary) -> None:
    def states(sweep_id: str) -> set[str]:
        return {row["status"] for row in json.loads(summary(sweep_id, "--format=json"))}

    assert states("repeats") == {"ok"}
    assert states("crash") == {"1 of 4 rounds, crashed", "0 of 4 rounds, crashed"}
    assert any("not ok" in state for state in states("failures"))
    hung = json.loads(summary("time-outs", "--format=json"))
    assert {row["timed_out_rounds"] for row in hung} == {1}
    assert all("submit_p50_s" not in row["lower_bounds"] for row in hung)


def test_the_table_of_the_command_is_that_of_the_sweep_and_shows_the_same_numbers(
    swept: dict[str, Run], summary: Summary
) -> None:
    for sweep_id, run in swept.items():
        table = summary(sweep_id)
        assert table in run.out
        assert max(map(len, table.splitlines())) <= 120
    table = summary("repeats")
    data = json.loads(summary("repeats", "--format", "json"))
    lines = [line for line in table.splitlines() if re.search(r" (store|lookup|load) ", line)]
    assert len(lines) == len(data) >= 6
    for line, row in zip(lines, data, strict=True):
        shown, unit = re.search(r"([\d.]+) (MiB/s|keys/s)", line).groups()  # type: ignore[union-attr]
        value = row["mib_per_s" if unit == "MiB/s" else "keys_per_s"]
        low, high = (row[f"{'mib' if unit == 'MiB/s' else 'keys'}_per_s_{end}"] for end in ("min", "max"))
        # Three digits are shown of what was measured once, four at most of the rest.
        digits = 0.005 if row["measured_processes"] == 1 else 0.0006
        assert abs(float(shown) - value) <= max((high - low) / 2, value * digits)
    wide = summary("repeats", "--wide")
    assert "95% interval" in wide
    assert len(re.findall(" (?:store|lookup|load) ", wide)) == len(lines)


def test_csv_and_markdown_have_the_same_rows(swept: dict[str, Run], summary: Summary) -> None:
    data = json.loads(summary("repeats", "--format", "json"))
    read = list(csv.DictReader(io.StringIO(summary("repeats", "--format", "csv"))))
    assert [float(row["median_s"]) for row in read] == [row["median_s"] for row in data]
    markdown = summary("repeats", "--format", "markdown").splitlines()
    assert sum(line.startswith("|") for line in markdown) == 2 + len(data)


def test_conditions_phases_and_groupings_choose_the_rows(swept: dict[str, Run], summary: Summary) -> None:
    def rows(*arguments: str) -> list[Row]:
        return list(json.loads(summary("repeats", "--format=json", *arguments)))

    loads = rows("--phase", "load", "--where", "num_keys == 4")
    assert [(row["phase"], row["num_keys"], row["processes"]) for row in loads] == [("load", 4, 6)]
    by_type = rows("--by", "adapter_type", "--phase", "load")
    assert [(row["adapter_type"], row["processes"], row["rounds"]) for row in by_type] == [("fs", 12, 48)]
    first = rows("--where", "round == 2", "--phase", "load")
    assert [row["rounds"] for row in first] == [6, 6]
    assert {row["status"] for row in first} == {"ok"}  # rounds that were left out are not missing
    crash = summary("crash", "--format=json", "--phase", "load")
    assert {row["status"] for row in json.loads(crash)} == {"0 of 4 rounds, crashed"}


def test_the_pandas_api_and_the_command_agree(swept: dict[str, Run], summary: Summary) -> None:
    for sweep_id, run in swept.items():
        frame = l2sweep.summarize(
            l2sweep.load_rounds(run.results_dir, sweep=sweep_id),
            points=l2sweep.load_points(run.results_dir, sweep=sweep_id),
        ).set_index(["point_id", "phase"])
        rows = json.loads(summary(sweep_id, "--format", "json"))
        assert len(rows) == len(frame)
        for row in rows:
            own = frame.loc[(row["point_id"], row["phase"])]
            for name, value in row.items():
                if name in frame.columns and name not in KEYS:
                    assert (None if own[name] != own[name] else own[name]) == value, name


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["latest~9"], "latest~9"),
        (["latest", "--by", "colour"], "colour"),
        (["latest", "--where", "num_keys =="], "num_keys =="),
        (["latest", "--where", "num_keys == 99"], "no measured round"),
        (["latest", "--results-dir", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_request_is_one_line(
    arguments: list[str], line: str, swept: dict[str, Run], run_l2sweep: RunL2Sweep
) -> None:
    run = run_l2sweep("summary", "--results-dir", str(swept["crash"].results_dir), *arguments)
    assert run.exit_code == 2
    assert line in run.err
    assert run.err.count("\n") == 1


def test_a_summary_imports_neither_hydra_nor_torch_nor_scipy(swept: dict[str, Run], tmp_path: Path) -> None:
    arguments = ["summary", "repeats", "--results-dir", str(swept["repeats"].results_dir)]
    code = (
        f"import sys; from l2sweep.cli.application import main; main({arguments}); "
        "print([name for name in ('hydra', 'torch', 'lmcache', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=l2sweep_environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "throughput" in done.stdout
