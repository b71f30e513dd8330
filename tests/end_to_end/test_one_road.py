"""A single point is a sweep of one point: with and without ``-m``, the planned points are measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import RunL2Sweep, start_l2sweep, wait_for

SMALL = ("data_size_kb=64",)


def planned(out: str) -> list[tuple[str, str]]:
    """Return index and repeat of each point that a dry run prints."""
    return re.findall(r"^ *(\d+) +(\d+)  \w+ num_keys=", out, flags=re.MULTILINE)


@pytest.mark.parametrize("multirun", [(), ("-m",)])
@pytest.mark.parametrize(
    ("options", "points"),
    [
        (("adapter=mock", "repeats=3"), 3),
        (("adapter=mock", 'constraints=["num_keys <= 32"]'), 1),
        (("adapter=mock", 'constraints=["num_keys > 32"]'), 0),
        (("budget.disk_gb=0.1",), 1),
        (("budget.disk_gb=0.000001",), 0),
        (("adapter=mock", "on_infeasible=fail"), 1),
        (("adapter=mock", "on_infeasible=fail", "num_keys=100000000"), 0),
    ],
)
def test_the_points_that_a_dry_run_prints_are_the_points_that_are_recorded(
    run_l2sweep: RunL2Sweep, tmp_path: Path, multirun: tuple[str, ...], options: tuple[str, ...], points: int
) -> None:
    plan = run_l2sweep(*multirun, *SMALL, *options, "dry_run=true")
    run = run_l2sweep(*multirun, *SMALL, *options)
    assert len(planned(plan.out)) == points
    assert plan.exit_code == run.exit_code == (0 if points else 2), run.err
    if not points:
        assert (
            run.err.split(",")[0] == plan.err.split(",")[0]
        )  # the free memory, in the rest of the line, changes
        assert not (tmp_path / "results").exists()
        return
    recorded = zip(run.points["point_index"], run.points["repeat"], strict=True)
    assert planned(plan.out) == [(str(index), str(repeat)) for index, repeat in recorded]


def test_a_single_point_is_listed_and_resumed(
    tmp_path: Path, run_l2sweep: RunL2Sweep, faulty: Callable[[str], str]
) -> None:
    process = start_l2sweep(tmp_path, faulty("HangingStore"), *SMALL, "sweep_id=one", FAULT_AT="2")
    wait_for(lambda: len(list((tmp_path / "results").rglob("running-*.json"))) or None)
    configuration = (tmp_path / "results" / "sweeps" / "one" / "config.yaml").read_text()
    assert configuration.startswith("hydra:")  # saved before the run
    process.kill()
    process.communicate()
    listed = run_l2sweep("status")
    assert listed.out.splitlines()[1].split() == ["one", "1", "0", "0", "0", "1"]
    resumed = run_l2sweep("resume=one", FAULT_AT="99")
    assert resumed.exit_code == 0, resumed.err
    assert resumed.points["status"].tolist() == ["ok"]
    assert run_l2sweep("status").out.splitlines()[1].split() == ["one", "1", "1", "0", "0", "0"]
