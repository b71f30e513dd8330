"""The answers of docs/analysis.md run on real sweeps, and are right."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, RunL2Sweep

MIB = 1024 * 1024
SMALL = ("data_size_kb=64", "rounds=3", "warmup_rounds=1", "lookup_max_hit_rate=0.5")
BLOCK = re.compile(r"^## (?P<title>.*?)\n|^```python\n(?P<code>.*?)^```", flags=re.DOTALL | re.MULTILINE)


def answers(document: Path) -> dict[str, list[dict[str, Any]]]:
    """Run each Python block of a document, and return its variables, and what it printed, by its heading."""
    found: dict[str, list[dict[str, Any]]] = {}
    title = ""
    for part in BLOCK.finditer(document.read_text()):
        if part["title"]:
            title = part["title"]
            continue
        variables: dict[str, Any] = {}
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(part["code"], title, "exec"), variables)
        found.setdefault(title, []).append({**variables, "printed": out.getvalue()})
    return found


def raw(results_dir: Path, data_set: str) -> pd.DataFrame:
    files = sorted((results_dir / data_set).rglob("*.parquet"))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def test_the_ten_questions_have_true_answers(
    run_l2sweep: RunL2Sweep, faulty: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = ("-m", "adapter=mock", "adapter.mock_bandwidth_gb=1,100", "num_keys=2,4", "repeats=2", *SMALL)
    run_l2sweep("-m", faulty("CrashingStore"), "num_keys=2,4", *SMALL, "sweep_id=crash", FAULT_AT="3")
    assert run_l2sweep("-m", "adapter=fs", "num_keys=2,4", *SMALL, "sweep_id=files").exit_code == 0
    assert run_l2sweep(*grid, "sweep_id=before").exit_code == 0
    run = run_l2sweep(*grid, "sweep_id=after")
    monkeypatch.chdir(tmp_path)
    found = answers(ROOT / "docs" / "analysis.md")
    numbered = {title.partition(".")[0]: of_title for title, of_title in found.items()}
    assert [title for title in numbered if title.isdigit()] == [str(number) for number in range(1, 11)]
    assert all(one["printed"] or title == "10" for title, of_title in numbered.items() for one in of_title)

    rounds = raw(run.results_dir, "rounds")
    measured = rounds[~rounds["is_warmup"]]
    after = measured[measured["sweep_id"] == "after"]

    def speed(rows: pd.DataFrame) -> float:
        return float(rows["bytes_ok"].sum() / MIB / rows["duration_s"].sum())

    of_points = after[after["phase"] == "load"].groupby("point_id")[["bytes_ok", "duration_s"]].apply(speed)
    (first,) = numbered["1"]
    assert first["best"].iloc[0]["mib_per_s"] == pytest.approx(of_points.max())
    assert first["best"].iloc[0]["processes"] == 2

    (second,) = numbered["2"]
    assert set(second["by_state"]["cache_state"].dropna()) == {"warm"}

    (third,) = numbered["3"]
    assert len(third["each"]) == 2 * len(third["summary"])

    (fourth,) = numbered["4"]
    own = fourth["summary"].iloc[0]
    submits = after[(after["point_id"] == own["point_id"]) & (after["phase"] == own["phase"])]
    assert own["submit_p50_s"] == pytest.approx(np.median(np.concatenate(list(submits["submit_latency_s"]))))

    (fifth,) = numbered["5"]
    assert fifth["failed"].empty

    (sixth,) = numbered["6"]
    before = measured[measured["sweep_id"] == "before"]
    (point_id, phase, _), ratio = next(iter(sixth["ratio"].items()))

    def median(rows: pd.DataFrame) -> float:
        own = rows[(rows["point_id"] == point_id) & (rows["phase"] == phase)]
        return float(own.groupby("point_index")["duration_s"].median().median())

    assert ratio == pytest.approx(median(after) / median(before))
    assert len(sixth["ratio"]) == 12

    (seventh,) = numbered["7"]
    assert seventh["fields"] == ["adapter.mock_bandwidth_gb"]

    (eighth,) = numbered["8"]
    assert (
        len(eighth["loads"]) == rounds[(rounds["sweep_id"] == "after") & (rounds["phase"] == "load")].shape[0]
    )

    (ninth,) = numbered["9"]
    assert ninth["history"].groupby("phase")["sweep_id"].apply(list).tolist() == [["before", "after"]] * 3

    assert len(pd.read_csv("summary.csv")) == 12

    with_sql, with_polars, of_nights = found["The same files in DuckDB and Polars"]
    timed = measured[(measured["phase"] == "load") & measured["duration_s"].notna()]
    of_loads = timed.groupby(["point_id", "cache_state"], dropna=False)[["bytes_ok", "duration_s"]].apply(
        speed
    )
    fetched = with_sql["loads"].fetchall()
    assert [row[-1] for row in fetched] == pytest.approx(sorted(of_loads, reverse=True))
    assert sum(row[2] for row in fetched) == timed.groupby(["sweep_id", "point_index", "attempt"]).ngroups
    p99 = with_polars["p99"].collect()
    assert p99.height == measured.groupby(["point_id", "phase"]).ngroups
    by_night = [row[-1] for row in of_nights["by_night"]]
    of_points = timed.groupby("point_id")[["bytes_ok", "duration_s"]].apply(speed)
    if rounds["started_at"].dt.date.nunique() == 1:  # otherwise a point has a row for each date
        assert sorted(by_night) == pytest.approx(sorted(of_points))
    assert of_nights["rows"]["len"].sum() == len(rounds)
