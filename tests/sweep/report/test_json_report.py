"""The report as JSON."""

from __future__ import annotations

import json
from typing import Any

from sample_rows import point_row, round_row, timed_out

from l2sweep.analysis.statistics import summarise_point
from l2sweep.config.sweep import SweepConfig
from l2sweep.sweep.attempt.point_attempt import PointResult
from l2sweep.sweep.report.json_report import json_report

SWEEP = SweepConfig(sweep_id="one", results_dir="r", sweep_name="mine")


def report(points: list[dict[str, Any]], rounds: list[dict[str, Any]], *notes: str) -> dict[str, Any]:
    result = PointResult(points, rounds)
    phases = tuple(dict.fromkeys(row["phase"] for row in rounds))
    summaries = summarise_point(phases, rounds, points)
    read = json.loads(json_report(SWEEP, [(result, summaries)], notes))
    assert isinstance(read, dict)
    return read


def test_the_report_holds_the_configuration_and_where_the_records_are() -> None:
    whole = report([point_row()], [round_row()], "a note")
    assert (whole["sweep_id"], whole["sweep_name"], whole["notes"]) == ("one", "mine", ["a note"])
    assert whole["records"] == {"rounds": "r/rounds", "points": "r/points"}
    (point,) = whole["points"]
    assert point["log_file"] == "r/sweeps/a/point-00000.log"
    assert point["versions"] == {
        "l2sweep": "0.1.0",
        "lmcache": "0.5.6",
        "torch": "2.13.0",
        "python": "3.11.7",
    }
    configuration = point["configuration"]
    assert configuration["adapter_spec"] == {"type": "fs", "base_path": "/mnt/nvme/kv"}
    assert (configuration["num_keys"], configuration["keys_per_round"]) == (4, 8)
    assert configuration["round_mib"] == 2
    assert point["started_at"] == "2026-11-24T01:02:03+00:00"


def test_a_phase_holds_its_statistics_in_seconds_and_mib() -> None:
    rounds = [round_row("load", number, duration_s=duration) for number, duration in ((2, 0.5), (3, 1.5))]
    (phase,) = report([point_row(rounds=2)], rounds)["points"][0]["phases"]
    assert (phase["phase"], phase["status"], phase["cache_state"]) == ("load", "ok", "cold")
    assert phase["durations_s"] == [0.5, 1.5]
    assert (phase["duration_mean_s"], phase["duration_min_s"], phase["duration_max_s"]) == (1.0, 0.5, 1.5)
    assert phase["mib_per_s"] == 2.0
    assert phase["duration_p99_s"] is None
    assert phase["submit_latency_max_s"] == 0.5
    assert "expected_max_hit_rate" not in phase


def test_a_lookup_holds_its_hit_rates() -> None:
    (phase,) = report([point_row()], [round_row("lookup")])["points"][0]["phases"]
    assert (phase["expected_max_hit_rate"], phase["expected_hits"], phase["actual_hit_rate"]) == (0.5, 4, 0.5)
    assert phase["mib_per_s"] is None


def test_a_phase_has_the_status_of_its_rounds_and_of_its_process() -> None:
    store = point_row(phase="store", rounds=2, wall_s=1.0)
    load = point_row(phase="load", rounds=2, wall_s=2.0, status="crashed", detail="died", exit_code=None)
    rounds = [round_row("store"), round_row("store", 3), round_row("load")]
    (point,) = report([store, load], rounds)["points"]
    assert (point["status"], point["detail"], point["exit_code"]) == ("crashed", "died", 1)
    assert point["wall_s"] == 3.0
    states = [(one["phase"], one["status"], one["process_status"]) for one in point["phases"]]
    assert states == [("store", "ok", "ok"), ("load", "1 of 2 rounds, crashed", "crashed")]


def test_a_duration_that_is_only_known_to_be_at_least_a_bound_is_named() -> None:
    (phase,) = report([point_row()], [timed_out("store")])["points"][0]["phases"]
    assert (phase["timed_out_rounds"], phase["durations_s"], phase["unfinished_rounds_s"]) == (1, [], [1.0])
    assert (phase["duration_mean_s"], phase["duration_p50_s"], phase["duration_std_s"]) == (1.0, None, None)
    assert {"duration_mean_s", "duration_max_s", "submit_latency_max_s"} <= set(phase["lower_bounds"])
    assert report([point_row()], [round_row()])["points"][0]["phases"][0]["lower_bounds"] == []


def test_a_number_that_json_does_not_have_is_null() -> None:
    text = json_report(SWEEP, [(PointResult([point_row(wall_s=float("nan"))], []), [])])
    assert json.loads(text)["points"][0]["wall_s"] is None
    assert "NaN" not in text
