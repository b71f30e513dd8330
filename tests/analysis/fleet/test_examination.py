"""Tests of l2sweep.analysis.fleet.examination: verdicts on the hosts of made fleets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_fleets import MadeFleet
from made_sweeps import tables
from sample_rows import Row

from l2sweep.analysis.fleet.examination import LEVEL, POINTS_READ, examine
from l2sweep.analysis.fleet.hosts import FLEET_HOST
from l2sweep.analysis.fleet.rates import ROUNDS_READ
from l2sweep.analysis.fleet.result import FleetResult, HostResult
from l2sweep.errors import RequestError
from l2sweep.records import schema

SLOW = {"host-3": 1.15}


def examined(fleet: MadeFleet, **options: Any) -> FleetResult:
    return of_rows(*fleet.lists(), **options)


def of_rows(rounds: list[Row], points: list[Row], **options: Any) -> FleetResult:
    of_rounds, of_points = tables(rounds, points)
    return examine(of_rounds.select(ROUNDS_READ), of_points.select(POINTS_READ), **options)


def of_host(result: FleetResult, name: str) -> HostResult:
    (one,) = [one for one in result.hosts if one.host == name]
    return one


def verdicts(result: FleetResult) -> dict[str, str]:
    return {one.host: one.verdict for one in result.hosts if one.verdict != "ok"}


def test_the_columns_that_are_read_exist() -> None:
    assert set(ROUNDS_READ) <= {*schema.ROUNDS.names, FLEET_HOST}
    assert set(POINTS_READ) <= {*schema.POINTS.names, FLEET_HOST}


@pytest.mark.parametrize("number", range(8))
def test_a_host_that_is_slow_is_named_and_no_other(number: int) -> None:
    result = examined(MadeFleet(number, factors=SLOW))
    assert verdicts(result) == {"host-3": "slow"}
    slow = result.hosts[0]
    assert slow.relative_rate == pytest.approx(1 / 1.15, rel=0.02)
    assert slow.by_phase["store"] == pytest.approx(1 / 1.15, rel=0.03)
    assert slow.findings[0].where == "all phases"
    assert slow.findings[0].p <= LEVEL
    assert (slow.points, slow.processes) == (4, 6)
    assert result.exit_code() == 1


@pytest.mark.parametrize("number", range(8))
def test_of_equal_hosts_none_is_named(number: int) -> None:
    result = examined(MadeFleet(number))
    assert verdicts(result) == {}
    assert result.exit_code(strict=True) == 0
    assert result.sentences == ("none of 8 hosts is slow or failed",)


def test_a_host_that_is_slow_in_one_phase_is_named_there() -> None:
    result = examined(MadeFleet(phases=("store", "lookup", "load"), factors={("host-3", "load"): 1.3}))
    assert verdicts(result) == {"host-3": "slow"}
    finding = result.hosts[0].findings[0]
    assert (finding.where, finding.phase, finding.points) == ("load over 2 points", "load", 2)
    assert of_host(result, "host-3").relative_rate == pytest.approx(1, abs=0.02)


def test_a_host_that_is_slow_at_one_point_is_named_there() -> None:
    factors = {("host-3", "load", 4096): 1.6}
    result = examined(MadeFleet(sizes_kb=(1024, 4096, 16384), factors=factors))
    assert verdicts(result) == {"host-3": "slow"}
    (finding,) = result.hosts[0].findings
    assert finding.where == "fs load at 4096 KiB, 1 in flight"
    assert finding.where in result.sentences[0]


def test_a_fast_host_is_not_named_and_slows_down_no_other() -> None:
    assert verdicts(examined(MadeFleet(factors={"host-3": 0.5}))) == {}


def test_three_slow_hosts_of_eight_do_not_hide_each_other() -> None:
    slow = {f"host-{number}": 1.5 for number in (1, 4, 6)}
    assert verdicts(examined(MadeFleet(factors=slow))) == dict.fromkeys(slow, "slow")


def test_a_difference_below_the_threshold_is_not_named() -> None:
    fleet = MadeFleet(host_deviation=0.0, process_deviation=0.001, factors={"host-3": 1.08})
    assert verdicts(examined(fleet)) == {"host-3": "slow"}
    assert verdicts(examined(fleet, threshold=0.1)) == {}


def test_rates_that_are_equal_but_for_one_host_name_it() -> None:
    fleet = MadeFleet(host_deviation=0.0, process_deviation=0.0, factors=SLOW)
    rounds, points = fleet.lists()
    for row in rounds:
        row["duration_s"] = SLOW.get(row["host"], 1.0)
    result = of_rows(rounds, points)
    assert verdicts(result) == {"host-3": "slow"}
    assert np.isfinite([one.score for one in result.hosts if one.score is not None]).all()


def test_a_difference_that_the_clock_cannot_tell_is_not_named() -> None:
    rounds, points = MadeFleet(factors=SLOW).lists()
    short = [{**row, "duration_s": row["duration_s"] * 1e-3} for row in rounds]
    assert verdicts(of_rows(short, points)) == {}


def test_one_process_a_host_is_too_few_to_name_it() -> None:
    fleet = MadeFleet(sizes_kb=(4096,), phases=("load",), repeats=1, factors={"host-3": 1.5})
    result = examined(fleet)
    assert verdicts(result) == {"host-3": "inconclusive"}
    assert of_host(result, "host-3").reason.startswith("1 process in fs load at 4096 KiB")
    assert (result.exit_code(), result.exit_code(strict=True)) == (0, 3)


def test_a_host_whose_own_processes_differ_too_much_is_not_named() -> None:
    rounds, points = MadeFleet(sizes_kb=(4096,), phases=("load",), repeats=4).lists()
    factors = (0.8, 1.0, 1.6, 1.7)
    for row in rounds:
        if row["host"] == "host-3":
            row["duration_s"] *= factors[row["repeat"]]
    result = of_rows(rounds, points)
    assert verdicts(result) == {"host-3": "inconclusive"}
    assert "differ too much" in of_host(result, "host-3").reason


def test_of_two_hosts_none_is_named() -> None:
    result = examined(MadeFleet(hosts=2, factors={"host-1": 1.5}))
    assert verdicts(result) == {"host-1": "inconclusive"}
    assert result.hosts[0].reason == "of 2 hosts none is in the majority"
    assert result.visible is None
    assert result.exit_code() == 0
    (sentence,) = result.sentences
    assert sentence.startswith("2 hosts: none is in the majority")
    assert "host-1 has 66" in sentence


def test_of_three_hosts_it_is_said_what_could_be_seen() -> None:
    result = examined(MadeFleet(hosts=3, factors={"host-1": 1.3}))
    assert verdicts(result) == {"host-1": "inconclusive"}
    assert "with 3 hosts that differ as these do, only" in result.hosts[0].reason
    assert result.visible is not None
    assert result.visible > 0.3


def test_of_four_hosts_a_large_difference_is_named() -> None:
    assert verdicts(examined(MadeFleet(hosts=4, factors={"host-1": 2.0}))) == {"host-1": "slow"}


def test_a_host_that_failed_is_named_and_its_failed_rounds_are_no_rate() -> None:
    rounds, points = MadeFleet().lists()
    for row in rounds:
        if row["host"] == "host-3" and row["phase"] == "load":
            row.update(status="error", detail="wrong bytes", duration_s=row["duration_s"] / 100)
    result = of_rows(rounds, points)
    assert verdicts(result) == {"host-3": "failed"}
    failed = result.hosts[0]
    assert failed.failed_processes == 6
    assert failed.failures[0].where == "fs load at 4096 KiB, 1 in flight"
    assert failed.by_phase["load"] is None
    assert failed.by_phase["store"] == pytest.approx(1, abs=0.02)
    assert "error: wrong bytes" in result.sentences[0]
    assert result.exit_code() == 1


def test_a_host_that_measured_nothing_is_named_as_failed() -> None:
    rounds, points = MadeFleet().lists()
    rounds = [row for row in rounds if row["host"] != "host-3"]
    for row in points:
        if row["host"] == "host-3":
            row.update(status="crashed", detail="killed by signal 9")
    result = of_rows(rounds, points)
    assert verdicts(result) == {"host-3": "failed"}
    assert result.hosts[0].relative_rate is None
    assert "crashed: killed by signal 9" in result.sentences[0]


def test_of_two_hosts_the_one_that_fails_everything_is_named() -> None:
    rounds, points = MadeFleet(hosts=2).lists()
    for row in rounds:
        if row["host"] == "host-1":
            row.update(status="error", detail="no space left", duration_s=None)
    result = of_rows(rounds, points)
    assert of_host(result, "host-1").verdict == "failed"
    assert of_host(result, "host-0").verdict == "inconclusive"


def test_a_host_may_be_slow_and_failed() -> None:
    rounds, points = MadeFleet(factors=SLOW).lists()
    for row in rounds:
        if (row["host"], row["phase"], row["repeat"]) == ("host-3", "load", 0):
            row.update(status="partial", detail="1 of 8 keys")
    result = of_rows(rounds, points)
    assert verdicts(result) == {"host-3": "slow"}
    assert [sentence.split(" ")[1] for sentence in result.sentences] == ["is", "failed:"]


def test_what_fails_on_every_host_blames_none() -> None:
    rounds, points = MadeFleet().lists()
    for row in rounds:
        if row["phase"] == "load" and row["data_size_kb"] == 4096:
            row.update(status="error", detail="refused", duration_s=None)
    result = of_rows(rounds, points)
    assert verdicts(result) == {}
    assert result.points == 3
    assert result.notes == ("not judged: 1 point and phase that failed on every host",)


def test_a_host_that_alone_completed_a_point_is_not_blamed_for_a_failure_there() -> None:
    rounds, points = MadeFleet().lists()
    for row in rounds:
        is_there = row["phase"] == "load" and row["data_size_kb"] == 4096
        if is_there and (row["host"], row["repeat"]) not in (("host-0", 1), ("host-0", 2)):
            row.update(status="error", detail="refused", duration_s=None)
    result = of_rows(rounds, points)
    assert of_host(result, "host-0").failures == ()
    assert of_host(result, "host-1").failed_processes == 3
    assert result.notes == ("not judged: 1 point and phase that only one host completed",)


def test_the_environment_of_a_slow_host_is_shown_beside_that_of_most_others() -> None:
    changes = {
        "host-3": {"kernel": "Linux 5.4", "memory_bytes": 2**35},
        "host-5": {"kernel": "Linux 6.8"},
    }
    result = examined(MadeFleet(factors=SLOW, changes=changes))
    found = {one.name: (one.value, one.others, one.hosts) for one in result.hosts[0].environment}
    assert found == {
        "kernel": ("Linux 5.4", "Linux 6.1", 6),
        "memory": ("32.0 GiB", "64.0 GiB", 7),
    }
    assert of_host(result, "host-5").environment == ()


def test_a_property_in_which_all_hosts_differ_is_not_shown() -> None:
    names = MadeFleet().names
    changes = {name: {"mount_point": f"/mnt/{name}"} for name in names}
    assert examined(MadeFleet(factors=SLOW, changes=changes)).hosts[0].environment == ()


def test_sweeps_of_several_hosts_that_are_no_fleet_are_examined_alike() -> None:
    assert verdicts(examined(MadeFleet(factors=SLOW, is_fleet=False))) == {"host-3": "slow"}


def test_cold_and_warm_rounds_are_judged_apart() -> None:
    rounds, points = MadeFleet(phases=("load",)).lists()
    for row in rounds:
        if row["host"] in ("host-0", "host-1", "host-2"):
            row.update(cache_state="warm", duration_s=row["duration_s"] / 3)
    assert verdicts(of_rows(rounds, points)) == {}


def test_a_profiled_process_does_not_count() -> None:
    rounds, points = MadeFleet().lists()
    for row in rounds:
        if row["host"] == "host-3" and row["repeat"] < 2:
            row.update(profile="flamegraph:wall", duration_s=row["duration_s"] * 3)
    result = of_rows(rounds, points)
    assert verdicts(result) == {}
    assert of_host(result, "host-3").processes == 2


def test_one_host_is_no_fleet() -> None:
    with pytest.raises(
        RequestError, match="fleet: needs rows of several hosts; these sweeps have only host-0"
    ):
        examined(MadeFleet(hosts=1))


def test_hosts_that_share_a_grid_have_no_point_in_common() -> None:
    rounds, points = MadeFleet(hosts=2).lists()
    own = {"host-0": 4096, "host-1": 16384}
    shared = [[row for row in rows if own[row["host"]] == row["data_size_kb"]] for rows in (rounds, points)]
    with pytest.raises(
        RequestError, match=r"no point and phase was completed on several of 2 hosts.*fleet=true"
    ):
        of_rows(*shared)
