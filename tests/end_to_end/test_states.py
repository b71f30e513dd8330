"""Each phase of a point that ended early shows how many of its rounds were measured, and why no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import RunL2Sweep

Faulty = Callable[[str], str]
SMALL = ("data_size_kb=64", "rounds=3", "warmup_rounds=1")


def test_the_report_of_a_crashed_point_shows_the_state_of_each_phase(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    run = run_l2sweep(faulty("CrashingStore"), "num_keys=4", *SMALL, FAULT_AT="3")
    assert run.exit_code == 1
    shown = [line.split(":")[1].strip() for line in run.out.splitlines() if line.startswith("Status:")]
    assert shown == ["1 of 3 rounds, crashed", "0 of 3 rounds, crashed", "0 of 3 rounds, crashed"]
    assert run.rounds["status"].tolist() == ["ok", "ok"]


@pytest.mark.parametrize("cache", ["hot", "cold"])
def test_the_table_and_the_line_of_a_crashed_point_show_the_state_of_each_phase(
    run_l2sweep: RunL2Sweep, faulty: Faulty, cache: str
) -> None:
    options = (f"cache={cache}", "cache.method=none") if cache == "cold" else ()
    run = run_l2sweep("-m", faulty("CrashingStore"), "num_keys=4,8", *options, *SMALL, FAULT_AT="4")
    assert run.exit_code == 1
    states = ("2 of 3 rounds, crashed", "0 of 3 rounds, crashed", "0 of 3 rounds, crashed")
    lines = [line for line in run.out.splitlines() if line.startswith(("[1/2]", "[2/2]"))]
    named = zip(("store", "lookup", "load"), states, strict=True)
    expected = "; ".join(f"{phase}: {state}" for phase, state in named)
    assert [expected in line for line in lines] == [True, True]
    rows = [line for line in run.out.splitlines() if line.split()[:1] in (["0"], ["1"])]
    in_table = [next(state for state in states if line.endswith(f"  {state}")) for line in rows]
    assert in_table == [state for state in states for _ in range(2)]
    assert not [line for line in rows if line.endswith("  ok")]
