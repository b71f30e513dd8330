"""Every number that ``l2sweep summary`` prints follows from the Parquet files, by plain pandas and scipy."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Run, RunL2Sweep, l2sweep_environment, plugin_option
from scipy.stats import quantile_test

import l2sweep
from l2sweep.cli.application import main
from l2sweep.process.starter import ProcessStarter

Row = dict[str, Any]
Summary = Callable[..., str]
SMALL = ("in_flight=2", "data_size_kb=64", "rounds=4", "warmup_rounds=1", "lookup_max_hit_rate=0.5")
KEYS = (
    *("sweep_id", "point_index", "repeat", "attempt", "point_id", "release", "adapter_type", "model"),
    *("num_keys", "in_flight", "data_size_kb", "lookup_max_hit_rate", "phase", "profile", "cache_state"),
    *("lookup_answered_by", "trace"),
)
PLACE = ["sweep_id", "point_index", "attempt"]
MIB = 1024 * 1024


@dataclass(frozen=True)
class Sample:
    """Durations, some of which timed out."""

    known: list[float]
    bounds: list[float]

    def ranked(self, rank: int) -> tuple[float, bool]:
        """Return the value of a rank from 1, and whether it is a lower bound."""
        both = sorted([*((value, False) for value in self.known), *((value, True) for value in self.bounds)])
        return both[rank - 1][0], any(is_bound for _, is_bound in both[:rank])

    @property
    def size(self) -> int:
        return len(self.known) + len(self.bounds)

    def median(self) -> tuple[float | None, bool]:
        if not self.size:
            return None, False
        last = self.size // 2 + 1
        return float(np.median([*self.known, *self.bounds])), self.ranked(last)[1]

    def percentile(self, percent: int) -> tuple[float | None, bool]:
        if percent == 50 and self.size > 1:
            return self.median()
        rank = math.ceil(percent * self.size / 100)
        return self.ranked(rank) if 0 < rank < self.size else (None, False)


def recorded(run: Run, sweep_id: str, data_set: str) -> pd.DataFrame:
    """Return the rows of a sweep as pandas reads each file."""
    files = (run.results_dir / data_set).rglob(f"{sweep_id}*.parquet")
    return pd.concat([pd.read_parquet(file) for file in sorted(files)], ignore_index=True)


def durations(rounds: pd.DataFrame) -> Sample:
    hung = rounds[(rounds["status"] == "timeout") & rounds["elapsed_s"].notna()]
    return Sample(rounds["duration_s"].dropna().tolist(), hung["elapsed_s"].tolist())


def listed(lists: pd.Series) -> list[float]:
    return [float(value) for one in lists for value in one]


def rates(rounds: pd.DataFrame) -> Row:
    """Return the throughputs of some rounds of one phase."""
    is_lookup = rounds["phase"].eq("lookup")
    timed = rounds[rounds["duration_s"].notna()]
    answered = rounds["keys_ok"].where(
        ~is_lookup, rounds["keys_requested"].where(rounds["status"].isin(["ok", "partial"]), 0)
    )
    seconds = timed["duration_s"].sum()
    not_run = rounds["duration_s"].isna() & rounds["elapsed_s"].isna() & rounds["started_at"].isna()
    elapsed = rounds["duration_s"].fillna(rounds["elapsed_s"]).mask(not_run, 0.0)
    elapsed_s = elapsed.sum() if elapsed.notna().all() and elapsed.sum() > 0 else math.nan
    flushed = timed[timed["flush_s"].notna()]
    found = {
        "mib_per_s": timed["bytes_ok"].sum() / MIB / seconds if seconds else math.nan,
        "mib_per_s_elapsed": rounds["bytes_ok"].sum() / MIB / elapsed_s,
        "keys_per_s": answered[timed.index].sum() / seconds if seconds else math.nan,
        "keys_per_s_elapsed": answered.sum() / elapsed_s,
        "durable_mib_per_s": flushed.loc[flushed["status"] == "ok", "bytes_ok"].sum()
        / MIB
        / (flushed["duration_s"] + flushed["flush_s"]).sum()
        if len(flushed)
        else math.nan,
        "actual_hit_rate": timed["keys_ok"].sum() / timed["keys_requested"].sum()
        if is_lookup.any() and len(timed)
        else math.nan,
    }
    if is_lookup.any():
        found |= dict.fromkeys(("mib_per_s", "mib_per_s_elapsed", "durable_mib_per_s"), math.nan)
    return found


def expected(rounds: pd.DataFrame, processes: int) -> Row:
    """Compute the row of a group from its measured rounds.

    Args:
        rounds: The measured rounds.
        processes: Number of processes that were asked for the phase.
    """
    of_processes = [own for _, own in rounds.groupby(PLACE)]
    medians = [median for own in of_processes if (median := durations(own).median())[0] is not None]
    known = [value for value, is_bound in medians if not is_bound and value is not None]
    over = Sample(known, [value for value, is_bound in medians if is_bound and value is not None])
    submits = Sample(listed(rounds["submit_latency_s"]), listed(rounds["submit_unfinished_s"]))
    bounds: dict[str, tuple[float | None, bool]] = {
        "median_s": over.median(),
        "median_min_s": over.ranked(1) if over.size else (None, False),
        "median_max_s": over.ranked(over.size) if over.size else (None, False),
        "median_low_s": (None, False),
        "median_high_s": (None, False),
        **{f"p{percent}_s": durations(rounds).percentile(percent) for percent in (50, 95, 99)},
        **{f"submit_p{percent}_s": submits.percentile(percent) for percent in (50, 95, 99)},
    }
    if over.size >= 6:
        both = [*over.known, *over.bounds]
        interval = quantile_test(both, q=0.5, p=0.5).confidence_interval(0.95)
        for name, end in (("median_low_s", interval.low), ("median_high_s", interval.high)):
            bounds[name] = (float(end), over.ranked(1 + sorted(both).index(end))[1])
    each = [rates(own) for own in of_processes]
    ends: Row = {}
    for name in ("mib_per_s", "keys_per_s"):
        of_each = [one[name] for one in each if one[name] == one[name]]
        ends |= {f"{name}_min": min(of_each, default=None), f"{name}_max": max(of_each, default=None)}
    is_ok = rounds["status"] == "ok"
    return {
        "processes": processes,
        "measured_processes": over.size,
        "rounds": len(rounds),
        "ok_rounds": is_ok.sum(),
        "failed_rounds": (~is_ok).sum(),
        "timed_out_rounds": (rounds["status"] == "timeout").sum(),
        "mismatched_keys": rounds["mismatched_keys"].sum(),
        "evicted_keys": rounds["evicted_keys"].sum(),
        "rounds_ended": None,  # their number was fixed
        "false_hits": rounds["false_hits"].sum(min_count=1),
        "false_misses": rounds["false_misses"].sum(min_count=1),
        **{name: value for name, (value, _) in bounds.items()},
        "lower_bounds": sorted(name for name, (_, is_bound) in bounds.items() if is_bound),
        **rates(rounds),
        **ends,
    }


def of_row(row: Row, measured: pd.DataFrame, points: pd.DataFrame, by: list[str]) -> tuple[pd.DataFrame, int]:
    """Return the measured rounds of a row, and how many processes were asked for its phase.

    A process belongs to the row of its state of the page cache. One without a state, of which no round
    completed, belongs to the only state of its repeats.
    """
    own, asked = measured[measured["phase"] == row["phase"]], points
    for name in by:
        own, asked = own[own[name] == row[name]], asked[asked[name] == row[name]]
    states: dict[tuple[Any, ...], str | None] = {}
    for place, rounds in own.groupby(PLACE):
        state = "/".join(sorted(rounds["cache_state"].dropna().unique())) or None
        states[place] = state if state or rounds["duration_s"].notna().any() else ""
    for place, _ in asked.groupby(PLACE):
        states.setdefault(place, "")
    known = {state for state in states.values() if state}
    unknown = known.pop() if len(known) == 1 else None
    resolved = {place: unknown if state == "" else state for place, state in states.items()}
    places = {place for place, state in resolved.items() if state == row["cache_state"]}
    is_own = [place in places for place in zip(*(own[name] for name in PLACE), strict=True)]
    return own[np.array(is_own, dtype=bool)], len(places)


def check(rows: list[Row], run: Run, sweep_id: str, by: list[str]) -> None:
    """Compare each row with what its rounds give, and each name with what is checked."""
    rounds, points = (recorded(run, sweep_id, name) for name in ("rounds", "points"))
    measured = rounds[~rounds["is_warmup"]]
    for row in rows:
        own, asked = of_row(row, measured, points, by)
        assert set(own["lookup_answered_by"].dropna()) <= {row["lookup_answered_by"]}
        wanted = expected(own, asked)
        found = {**row, "lower_bounds": sorted(row["lower_bounds"].split())}
        unchecked = set(row) - set(wanted) - set(KEYS) - {"status", "failed_processes", "is_best"}
        assert not {name for name in unchecked if not name.startswith("adapter.")}
        for name, value in wanted.items():
            if value is None or value != value:
                assert found[name] is None, (name, row)
            elif isinstance(value, float):
                assert found[name] == pytest.approx(value, rel=1e-12), name
            else:
                assert found[name] == value, name


@pytest.fixture(scope="module")
def swept(starter: ProcessStarter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Run small sweeps into one folder, and return the run of each by its id."""
    folder = tmp_path_factory.mktemp("swept")

    def faulty(name: str) -> str:
        return plugin_option("faulty_adapters", name, base_path=str(folder / "kv"))

    sweeps = {
        "repeats": ["adapter=fs", "num_keys=2,4", "repeats=6", "cache.store_durable=true"],
        "failures": ["adapter=fault_inject", "adapter.rate=0.5", "num_keys=4", "repeats=2"],
        "time-outs": [faulty("LostStore"), "num_keys=2,4", "only=store"],
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
        check(rows, run, sweep_id, ["point_id"])
        seen |= {name for row in rows for name, value in row.items() if value not in (None, 0, "")}
        repeats = json.loads(summary(sweep_id, "--format", "json", "--repeats"))
        check(repeats, run, sweep_id, ["point_id", "point_index"])
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
        assert abs(float(shown) - value) <= max((high - low) / 2, value * 0.0006)
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
def test_a_wrong_request_is_one_line(arguments: list[str], line: str, run_l2sweep: RunL2Sweep) -> None:
    assert run_l2sweep("-m", "adapter=mock", "num_keys=2,4").exit_code == 0
    run = run_l2sweep("summary", *arguments)
    assert run.exit_code == 2
    assert line in run.err
    assert run.err.count("\n") == 1


def test_a_summary_imports_neither_hydra_nor_torch_nor_scipy(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    assert run_l2sweep("-m", "adapter=mock", "num_keys=2,4").exit_code == 0
    code = (
        "import sys; from l2sweep.cli.application import main; main(['summary']); "
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
