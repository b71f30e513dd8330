"""Rounds that go on until they are precise, with real processes: new keys each, and none is left."""

from __future__ import annotations

import json
import signal
import statistics
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Run, RunL2Sweep, start_l2sweep, wait_for

from l2sweep.bench.rounds.steadiness import relative_half_width

PHASES = ("store", "lookup", "load")
CONTROL = ("adapter=control", "adapter.adapter_params.service_ms=50", "num_keys=2", "data_size_kb=64")
SMALL = ("num_keys=2", "data_size_kb=64")
EASY = "precision=1"  # the control would have to be late by twice its service time
NEVER = "precision=0.000000001"


def measured(run: Run, phase: str) -> list[float]:
    rounds = run.rounds
    return rounds[(rounds["phase"] == phase) & ~rounds["is_warmup"]]["duration_s"].tolist()


def numbers(run: Run, phase: str) -> list[int]:
    return sorted(run.rounds[run.rounds["phase"] == phase]["round"].tolist())


def test_a_known_duration_needs_the_smallest_sample(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*CONTROL, "rounds=auto", EASY, "lookup_max_hit_rate=0.5", "skip_verify=false")
    assert run.exit_code == 0, run.out + run.err
    (point,) = run.points.to_dict("records")
    assert (point["rounds"], point["precision"], point["max_seconds"]) == (50, 1.0, 120.0)
    for phase in PHASES:
        assert numbers(run, phase) == list(range(1, 8))
        assert point[f"{phase}_rounds_ended_by"] == "precision"
        durations = measured(run, phase)
        assert point[f"{phase}_precision_reached"] == relative_half_width(durations)
        half = (max(durations) - min(durations)) / 2
        assert point[f"{phase}_precision_reached"] == pytest.approx(half / statistics.median(durations))
        assert f"6 rounds, precision {point[f'{phase}_precision_reached']:.1%}" in run.out
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert (loads[~loads["is_warmup"]]["verified_keys"] == 2).all()


def test_noisy_rounds_end_at_the_limit_and_every_later_phase_with_the_stored_keys(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    auto = ("rounds=auto", NEVER, "max_rounds=9", "warmup_rounds=auto", "max_warmup_rounds=8")
    run = run_l2sweep("-m", *SMALL, "in_flight=1,2", *auto, "lookup_max_hit_rate=1")
    assert run.exit_code == 0, run.out + run.err
    assert set(run.points["store_rounds_ended_by"]) == {"max_rounds"}
    assert set(run.points["store_warmup_ended_by"]) <= {"steady", "max_warmup_rounds"}
    assert set(run.points["load_rounds_ended_by"]) == {"max_rounds"}
    assert set(run.rounds["status"]) == {"ok"}
    assert run.points["keys_left"].tolist() == [0, 0]
    assert "max_rounds=9" in run.out  # the table folds the rest
    rows = json.loads(run_l2sweep("summary", "--format", "json").out)
    assert all(row["rounds_ended"].startswith("max_rounds=9 reached at ") for row in rows)
    assert not (tmp_path / "results" / "scratch").exists() or not any(
        (tmp_path / "results" / "scratch").iterdir()
    )


def test_a_time_limit_ends_every_phase(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*CONTROL, "rounds=auto", NEVER, "max_seconds=0.01")
    assert run.exit_code == 0, run.out + run.err
    (point,) = run.points.to_dict("records")
    for phase in PHASES:
        assert numbers(run, phase) == [1, 2]
        # The time of a later phase ends with the keys that were stored until the store's own time was over.
        expected = "max_seconds" if phase == "store" else "stored_rounds"
        assert point[f"{phase}_rounds_ended_by"] == expected
    assert "max_seconds=0.01 reached at an unknown precision after 1 rounds" in run.out


def test_every_command_takes_rounds_that_ended_by_themselves_as_complete(run_l2sweep: RunL2Sweep) -> None:
    sweep = (*CONTROL[:2], "data_size_kb=64", "num_keys=1,2", "repeats=2", "rounds=auto", EASY)
    for sweep_id in ("first", "second"):
        run = run_l2sweep("-m", *sweep, f"sweep_id={sweep_id}", "sweep_name=open")
        assert run.exit_code == 0, run.out + run.err
    assert run.points["rounds"].eq(50).all()
    assert "rounds=auto" in run.out
    assert "rounds ended" in run.out
    rows = json.loads(run_l2sweep("summary", "second", "--format", "json").out)
    assert [row["status"] for row in rows] == ["ok"] * 6
    assert all(row["rounds_ended"].startswith("6 rounds, precision ") for row in rows)
    table = run_l2sweep("summary", "second").out
    assert "rounds ended" in table
    assert table.strip() in run.out
    compared = json.loads(run_l2sweep("compare", "first", "second", "--format", "json").out)
    assert len(compared["controls"]) == 6
    assert compared["failures"] == []
    history = run_l2sweep("history", "second")
    assert "2 nights, 6 points and phases" in history.out
    run_l2sweep("-m", "adapter=mock", *sweep[2:], "sweep_id=third")  # a control is not tuned
    tune = run_l2sweep("tune", "third", "--at", "hot", "--format", "json")
    assert tune.exit_code == 0, tune.err
    curve = json.loads(tune.out)["curve"]
    assert [(row["processes"], row["failed_processes"]) for row in curve] == [(2, 0), (2, 0)]


def test_a_fixed_number_of_rounds_follows_a_warm_up_of_any_length(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*SMALL, "rounds=3", "warmup_rounds=auto", "lookup_max_hit_rate=1")
    assert run.exit_code == 0, run.out + run.err
    assert [len(measured(run, phase)) for phase in PHASES] == [3, 3, 3]
    warmups = run.rounds[run.rounds["is_warmup"]].groupby("phase").size()
    assert warmups["store"] >= warmups["load"] >= 8
    assert set(run.rounds["status"]) == {"ok"}


@pytest.mark.parametrize("method", ["fadvise", pytest.param("drop_caches", marks=pytest.mark.alone)])
@pytest.mark.usefixtures("root")
def test_cold_stays_cold_because_every_round_has_new_keys(
    run_l2sweep: RunL2Sweep, tmp_path: Path, method: str
) -> None:
    cold = ("cache=cold", f"cache.method={method}", "cache.drop_before=[lookup,load]")
    auto = ("rounds=auto", EASY, "warmup_rounds=auto", "lookup_max_hit_rate=1")
    run = run_l2sweep(*cold, *auto, "num_keys=4", "data_size_kb=1024", f"scratch_dir={tmp_path}/kv")
    assert run.exit_code == 0, run.out + run.err
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert set(loads["cache_state"]) == {"cold"}
    assert set(run.rounds["status"]) == {"ok"}
    points = run.points.set_index("phase")
    for phase in PHASES:
        assert points[f"{phase}_rounds_ended_by"][phase] in ("precision", "max_rounds", "stored_rounds")
        assert points[f"{phase}_rounds_ended_by"].notna().sum() == 1
        assert numbers(run, phase) == list(range(1, len(numbers(run, phase)) + 1))
    assert len(numbers(run, "load")) <= len(numbers(run, "store"))
    assert points["keys_left"]["load"] == 0
    assert not (tmp_path / "kv").exists() or not any((tmp_path / "kv").iterdir())


def test_a_phase_alone_finds_what_a_store_of_the_most_rounds_stored(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    kv = f"scratch_dir={tmp_path}/kv"
    assert run_l2sweep(*SMALL, kv, "only=store", "rounds=8").exit_code == 0
    auto = ("rounds=auto", "max_rounds=8", NEVER, "lookup_max_hit_rate=1")
    for phase in ("lookup", "load"):
        run = run_l2sweep(*SMALL, kv, f"only={phase}", *auto)
        assert run.exit_code == 0, run.out + run.err
    assert set(run.rounds["status"]) == {"ok"}
    assert run.points.iloc[-1]["load_rounds_ended_by"] == "max_rounds"
    refused = run_l2sweep(*SMALL, kv, "only=store", *auto)
    assert refused.exit_code == 2
    assert refused.err.startswith("l2sweep: rounds=auto: must be a number with only=store")


def test_another_store_is_named_where_a_phase_alone_finds_nothing(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    kv = f"scratch_dir={tmp_path}/kv"
    assert run_l2sweep(*SMALL, kv, "only=store", "rounds=8").exit_code == 0
    run = run_l2sweep(*SMALL, kv, "only=load", "rounds=auto", "max_rounds=9")
    assert run.exit_code == 1
    assert "stored earlier: rounds=8 (this point: rounds=9)" in run.out


@pytest.mark.usefixtures("fio")
def test_fio_ends_as_an_adapter_does(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep("adapter=fio", *SMALL, "rounds=auto", NEVER, "max_rounds=7")
    assert run.exit_code == 0, run.out + run.err
    (point,) = run.points.to_dict("records")
    for phase in ("store", "load"):
        assert numbers(run, phase) == list(range(1, 9))
        assert point[f"{phase}_rounds_ended_by"] == "max_rounds"
    assert not (run.results_dir / "scratch").exists()


def test_keys_within_a_budget_are_those_of_the_most_rounds(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    budget = ("budget.disk_gb=0.1", "data_size_kb=1024", "in_flight=1")
    run = run_l2sweep("-m", "experiment=size_curve", *budget, "rounds=auto", "max_rounds=20", "dry_run=true")
    assert run.exit_code == 0, run.out + run.err
    fixed = run_l2sweep("-m", "experiment=size_curve", *budget, "rounds=20", "dry_run=true")
    assert fixed.exit_code == 0, fixed.out + fixed.err
    assert run.out.replace("at most ", "", 1).splitlines()[1] == fixed.out.splitlines()[1]


def test_a_point_that_may_write_more_than_its_budget_is_skipped(run_l2sweep: RunL2Sweep) -> None:
    auto = ("rounds=auto", EASY, "max_rounds=50", "warmup_rounds=0")
    run = run_l2sweep("-m", "num_keys=2,1000", "data_size_kb=64", *auto, "budget.disk_gb=0.1")
    assert run.exit_code == 0, run.out + run.err
    assert "writes 3.28 GB, more than budget.disk_gb=0.1" in run.out
    assert run.points["num_keys"].tolist() == [2]


def hanging(tmp_path: Path, faulty: Callable[[str], str], *options: str) -> tuple[object, threading.Thread]:
    """Start a sweep, and wait until its store hangs after 8 submits."""
    process = start_l2sweep(tmp_path, "-m", faulty("HangingStore"), *SMALL, *options, FAULT_AT="9")
    drain = threading.Thread(target=process.communicate)
    drain.start()
    wait_for(lambda: len(list((tmp_path / "kv").glob("*.data"))) == 16 or None)
    return process, drain


AUTO = ("rounds=auto", NEVER, "max_rounds=10")


def test_a_killed_point_runs_again_and_leaves_nothing(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    process, drain = hanging(tmp_path, faulty, *AUTO)
    process.kill()  # type: ignore[attr-defined]
    drain.join()
    (journal,) = (tmp_path / "results").rglob("running-*.json")
    assert json.loads(journal.read_text())["job"]["stored_rounds"] is None  # all that may exist
    again = run_l2sweep("resume=latest", FAULT_AT="99")
    assert again.exit_code == 0, again.out + again.err
    assert set(again.rounds["status"]) == {"ok"}
    assert again.points["store_rounds_ended_by"].tolist() == ["max_rounds"]
    assert list((tmp_path / "kv").iterdir()) == []
    assert list(again.results_dir.rglob("running-*")) == []


def test_a_stopped_point_keeps_its_rounds_and_leaves_nothing(
    run_l2sweep: RunL2Sweep, tmp_path: Path, faulty: Callable[[str], str]
) -> None:
    process, drain = hanging(tmp_path, faulty, *AUTO)
    process.send_signal(signal.SIGTERM)  # type: ignore[attr-defined]
    drain.join()
    assert process.returncode == 130  # type: ignore[attr-defined]
    assert list((tmp_path / "kv").iterdir()) == []
    again = run_l2sweep("resume=latest", FAULT_AT="99")
    assert again.exit_code == 0, again.out + again.err
    stopped, measured_again = again.points.to_dict("records")
    assert stopped["status"] == "stopped"
    assert pd.isna(stopped["store_rounds_ended_by"])
    assert (measured_again["status"], measured_again["store_rounds_ended_by"]) == ("ok", "max_rounds")
    assert list((tmp_path / "kv").iterdir()) == []
