"""Tests of l2sweep.analysis.nights."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from sample_rows import point_row, round_row

from l2sweep.analysis.control import CONTROLS
from l2sweep.analysis.nights import Night
from l2sweep.analysis.nights import night as summarise_night

FIRST = datetime(2026, 11, 1, 2, 30, tzinfo=UTC)


def frames(*nights: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return points and rounds of nights, each with one fio load that takes ``duration_s``."""
    points, rounds = [], []
    for number, changes in enumerate(nights):
        own = {"sweep_id": f"night-{number}", "started_at": FIRST + timedelta(days=number)}
        for index, status in enumerate(changes.get("statuses", ["ok"])):
            points.append(point_row(**own, point_index=index, status=status))
        points += [point_row(**own, **row) for row in changes.get("rows", [])]
        fio = {"adapter_type": "fio", "point_id": "fio-point", "bytes_ok": 2**20}
        rounds.append(round_row("load", duration_s=changes["duration_s"], **own, **fio))
        rounds.append(round_row("load", duration_s=0.001, is_warmup=True, **own, **fio))
        rounds.append(round_row("load", duration_s=9.0, **own))  # fs is not a control
    return pd.DataFrame(points), pd.DataFrame(rounds)


def night(frames: tuple[pd.DataFrame, pd.DataFrame], sweep_id: str, **options: Any) -> Night:
    return summarise_night(*frames, sweep_id, CONTROLS, **options)


def test_points_are_counted_by_the_status_of_their_last_attempt() -> None:
    retried = [
        {"point_index": 7, "attempt": 1, "status": "crashed"},
        {"point_index": 7, "attempt": 2, "status": "ok", "phase": "store"},
        {"point_index": 7, "attempt": 2, "status": "ok", "phase": "load"},
        {"point_index": 8, "attempt": 1, "status": "ok", "phase": "store"},
        {"point_index": 8, "attempt": 1, "status": "warm", "phase": "load"},
    ]
    found = night(
        frames({"duration_s": 1.0, "statuses": ["ok", "failed", "timeout"], "rows": retried}), "night-0"
    )
    assert (found.measured, found.failed, found.warm) == (2, 2, 1)
    assert found.problems(0.5) == ["2 points failed", "1 points should be cold but were warm"]
    assert found.line.startswith(
        "2026-11-01 02:30Z night-0: 2 points measured, 2 failed, 1 warm; fio load 1 MiB/s"
    )


def test_points_that_are_only_claimed_to_be_cold_are_counted_apart() -> None:
    states = {"lookup": "claimed", "load": "claimed"}
    rows = [point_row_of(phase, state) for phase, state in states.items()]
    claimed = night(frames({"duration_s": 1.0, "rows": rows}), "night-0")
    assert claimed.claimed == 1
    assert "2 points measured, 0 failed, 0 warm, 1 only claimed to be cold; " in claimed.line
    assert "claimed" not in night(frames({"duration_s": 1.0}), "night-0").line


def point_row_of(phase: str, state: str) -> dict[str, Any]:
    return {"point_index": 5, "attempt": 1, "status": "ok", "phase": phase, "cache_state": state}


def test_a_control_is_compared_with_the_median_of_the_last_nights() -> None:
    durations = [100.0, 1.0, 1.0, 2.0, 1.0]  # the first one is not one of the last 3 nights
    found = night(frames(*({"duration_s": value} for value in durations)), "night-4", last_nights=3)
    (control,) = found.controls
    assert (control.name, control.phase, control.nights) == ("fio", "load", 3)
    assert control.mib_per_s == 1.0
    assert control.ratio_to_last_nights == pytest.approx(1.0)
    assert found.problems(0.5) == []


def test_a_slow_control_is_a_problem() -> None:
    found = night(frames({"duration_s": 1.0}, {"duration_s": 4.0}), "night-1")
    (problem,) = found.problems(0.5)
    assert problem.startswith(
        "the disk was slow: fio load reached 0.25 of the throughput of the last 1 nights"
    )
    assert found.problems(0.25) == []


def test_the_first_night_has_no_ratio() -> None:
    found = night(frames({"duration_s": 1.0}, {"duration_s": 4.0}), "night-0")
    assert found.controls[0].ratio_to_last_nights is None
    assert "(no earlier night)" in found.line


def test_a_sweep_without_records_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        night(frames({"duration_s": 1.0}), "night-9")


def test_skipped_points_and_a_missing_control_are_problems() -> None:
    points, rounds = frames({"duration_s": 1.0}, {"duration_s": 1.0})
    with_fio = [point_row(**points.iloc[0][["sweep_id", "started_at"]].to_dict(), adapter_type="fio")]
    points = pd.concat([points, pd.DataFrame(with_fio)], ignore_index=True)
    found = night((points, rounds), "night-1", skipped=["no space", "no space"])
    assert found.problems(0.5) == ["points were skipped: no space", "no control of the disk was measured"]


def with_fio_before(*durations_s: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two nights of which only the first has measured fio."""
    points, rounds = frames(*({"duration_s": duration_s} for duration_s in durations_s))
    of_first = point_row(sweep_id="night-0", started_at=FIRST, adapter_type="fio")
    points = pd.concat([points, pd.DataFrame([of_first])], ignore_index=True)
    return points, rounds[(rounds["sweep_id"] == "night-0") | (rounds["adapter_type"] != "fio")]


def test_a_control_that_was_left_out_on_purpose_is_no_problem() -> None:
    nights = with_fio_before(1.0, 1.0)
    assert night(nights, "night-1", requested={"fs"}).problems(0.5) == []
    missing = ["no control of the disk was measured"]
    assert night(nights, "night-1", requested={"fs", "fio"}).problems(0.5) == missing
    assert night(nights, "night-1", requested=None).problems(0.5) == missing  # the request is not known


def test_a_control_that_failed_is_missing_although_the_request_does_not_name_it() -> None:
    points, rounds = with_fio_before(1.0, 1.0)
    own = {"sweep_id": "night-1", "started_at": FIRST + timedelta(days=1)}
    failed = point_row(**own, adapter_type="fio", status="failed", point_index=5)
    points = pd.concat([points, pd.DataFrame([failed])], ignore_index=True)
    found = night((points, rounds), "night-1", requested={"fs"})
    assert found.problems(0.5) == ["1 points failed", "no control of the disk was measured"]


def test_a_control_of_a_sweep_with_another_name_is_not_compared() -> None:
    points, rounds = frames({"duration_s": 1.0}, {"duration_s": 4.0})
    points.loc[points["sweep_id"] == "night-0", "sweep_name"] = "mine"
    (control,) = night((points, rounds), "night-1").controls
    assert (control.ratio_to_last_nights, control.nights) == (None, 0)


def test_only_points_that_both_nights_measured_are_compared() -> None:
    points, rounds = frames({"duration_s": 1.0}, {"duration_s": 2.0})
    fio = {"adapter_type": "fio", "bytes_ok": 2**20, "duration_s": 8.0}
    gone = round_row("load", sweep_id="night-0", point_id="gone", **fio)
    new = round_row("load", sweep_id="night-1", point_id="new", **fio)
    (control,) = night((points, pd.concat([rounds, pd.DataFrame([gone, new])])), "night-1").controls
    assert (control.ratio_to_last_nights, control.nights) == (0.5, 1)


def harness_night(number: int, durations_s: list[float], **adapter: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return points and rounds of a night that measures one harness control, with in_flight=2."""
    own = {"sweep_id": f"night-{number}", "started_at": FIRST + timedelta(days=number), **adapter}
    rounds = [round_row("load", duration_s=duration_s, **own) for duration_s in durations_s]
    return pd.DataFrame([point_row(**own)]), pd.DataFrame(rounds)


CONTROL = {
    "adapter_type": "plugin",
    "adapter_spec": json.dumps(
        {
            "type": "plugin",
            "module_path": "l2sweep.bench.control.adapter",
            "adapter_params": {"servers": 1, "service_ms": 100},
        }
    ),
}


def test_the_control_adapter_is_compared_with_its_theory() -> None:
    found = night(harness_night(0, [0.2, 0.201, 0.25], **CONTROL), "night-0")
    (control,) = found.controls
    assert (control.name, control.control_of) == ("control", "harness")
    assert control.error_percent == pytest.approx(0.5)
    assert "; control load 9 MiB/s, 0.50 % off theory (no earlier night)" in found.line


def test_a_control_without_a_theory_has_no_error() -> None:
    found = night(harness_night(0, [0.2], adapter_type="mock"), "night-0")
    assert [control.error_percent for control in found.controls] == [None]
    assert "mock load 10 MiB/s (no earlier night)" in found.line


def test_the_control_adapter_takes_the_place_of_mock_in_earlier_nights() -> None:
    old, new = harness_night(0, [0.2], adapter_type="mock"), harness_night(1, [0.2], **CONTROL)
    both = pd.concat([old[0], new[0]]), pd.concat([old[1], new[1]])
    assert night(both, "night-0").controls[0].control_of == "harness"
    assert night(both, "night-1").problems(0.5) == []
    later = point_row(sweep_id="night-2", started_at=FIRST + timedelta(days=2))
    without = night((pd.concat([both[0], pd.DataFrame([later])]), both[1]), "night-2")
    assert without.problems(0.5) == ["no control of the harness was measured"]


def two_points(
    *rounds: tuple[int, str, float], statuses: tuple[str, str], **adapter: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a night with two points of three rounds of a control: the rounds as (point, phase, duration)."""
    own = {"sweep_id": "night-0", "started_at": FIRST, **adapter}
    points = [
        point_row(**own, point_index=index, status=status, only=None) for index, status in enumerate(statuses)
    ]
    measured = [
        round_row(phase, number, **own, point_index=index, duration_s=duration_s)
        for number, (index, phase, duration_s) in enumerate(rounds, 2)
    ]
    return pd.DataFrame(points), pd.DataFrame(measured)


def complete(point: int, *phases: str) -> list[tuple[int, str, float]]:
    return [(point, phase, 0.2) for phase in phases for _ in range(3)]


@pytest.mark.parametrize(
    ("adapter", "number"),
    [(CONTROL, "10 MiB/s, 0.00 % off theory"), ({"adapter_type": "fio"}, "10 MiB/s")],
    ids=["control", "fio"],
)
def test_the_line_shows_the_state_of_a_control_that_crashed(adapter: dict[str, Any], number: str) -> None:
    name = "fio" if adapter["adapter_type"] == "fio" else "control"
    lookups = () if name == "fio" else ("lookup",)
    measured = [*complete(0, "store", *lookups, "load"), *complete(1, "store", *lookups), (1, "load", 0.2)]
    found = night(two_points(*measured, statuses=("ok", "crashed"), **adapter), "night-0")
    assert found.line.endswith(
        f"; {name} load {number} (no earlier night), 1 of 2 points not ok: 1 of 3 rounds, crashed"
        f"; {name} store {number} (no earlier night)"
    )
    assert found.problems(0.5) == ["1 points failed"]


def test_the_line_shows_a_control_that_measured_nothing() -> None:
    other = round_row("load", sweep_id="night-0", started_at=FIRST)
    points, rounds = two_points(statuses=("crashed", "timeout"), **CONTROL)
    found = night((points, pd.concat([rounds, pd.DataFrame([other])])), "night-0")
    state = "2 of 2 points not ok: 0 of 3 rounds, crashed and 0 of 3 rounds, timeout"
    assert found.line.endswith(f"; control load not measured, {state}; control store not measured, {state}")


def test_a_control_that_crashed_every_time_was_not_measured() -> None:
    earlier = harness_night(-1, [0.2], **CONTROL)
    points, rounds = two_points(statuses=("crashed", "crashed"), **CONTROL)
    found = night((pd.concat([earlier[0], points]), pd.concat([earlier[1], rounds])), "night-0")
    assert found.problems(0.5) == ["2 points failed", "no control of the harness was measured"]


def test_only_the_last_attempt_at_a_control_has_a_state() -> None:
    points, rounds = two_points(*complete(0, "store", "lookup", "load"), statuses=("ok", "ok"), **CONTROL)
    points = points[points["point_index"] == 0]
    again = points.assign(attempt=2), rounds.assign(attempt=2)
    crashed = points.assign(status="crashed")
    found = night((pd.concat([crashed, again[0]]), again[1]), "night-0")
    assert [control.state for control in found.controls] == ["ok", "ok"]
    assert "not ok" not in found.line


def test_a_large_error_of_the_control_is_a_problem() -> None:
    found = night(harness_night(0, [0.2, 0.203, 0.25], **CONTROL), "night-0")
    assert found.problems(0.5, max_control_error_percent=1.5) == []
    assert found.problems(0.5, max_control_error_percent=None) == []
    assert found.problems(0.5, max_control_error_percent=1.0) == [
        "the harness was inexact: control load was 1.50 % off theory, more than "
        "max_control_error_percent=1.0, so do not blame an LMCache release for slow results of this night"
    ]
