"""A fleet of real workers: the rows of each host, and what the commands say of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep, start_l2sweep

import l2sweep
from l2sweep.services.ports import free_ports

HOSTS = 3
TINY = ("num_keys=2,4", "data_size_kb=64", "rounds=2", "warmup_rounds=0", "repeats=2", "adapter=mock")
TOKEN = "a token of at least 16 characters"


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    """Run a fleet of three workers on this host, whose names in the rows have the rank behind them."""
    (port,) = free_ports(1)
    place = ("--rendezvous", f"127.0.0.1:{port}", "--size", str(HOSTS))
    sweep = ("--", "-m", "fleet=true", "fleet_order=serial", *TINY)
    workers = []
    for rank in range(HOSTS):
        arguments = ("worker", *place, "--rank", str(rank), *(sweep if rank == 0 else ()))
        workers.append(start_l2sweep(tmp_path, *arguments, L2SWEEP_TOKEN=TOKEN))
    try:
        for worker in workers:
            out, err = worker.communicate(timeout=300)
            assert worker.returncode == 0, out + err
            if worker is workers[0]:  # it prints the progress of the sweep
                assert all(out.count(f"-r{rank}: store ") == 4 for rank in range(HOSTS)), out
        yield tmp_path / "results"
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_each_host_measures_each_point_and_no_command_pools_them(
    results: Path, run_l2sweep: RunL2Sweep
) -> None:
    rounds, points = l2sweep.load_rounds(results), l2sweep.load_points(results)
    hosts = sorted(points["host"].unique())
    assert [host[-3:] for host in hosts] == ["-r0", "-r1", "-r2"]
    assert rounds["fleet"].eq(True).all()
    assert points["fleet_host"].eq(points["host"]).all()
    assert (points.groupby(["point_id", "host"]).size() == 2).all()
    assert points["point_id"].nunique() == 2
    # A place in the plan is that of one host: what tells attempts apart needs no host.
    assert (points.groupby("point_index")["host"].nunique() == 1).all()
    assert len(points["point_index"].unique()) == 2 * 2 * HOSTS

    summary = l2sweep.summarize(rounds, points=points)
    assert (summary["processes"] == 2).all()
    assert len(summary) == 2 * 3 * HOSTS
    printed = run_l2sweep("summary", "--phase", "load", "--format", "csv").out
    assert all(printed.count(host) == 2 for host in hosts)

    run = run_l2sweep("fleet", "--format", "json")
    found = json.loads(run.out)
    assert sorted(one["host"] for one in found["hosts"]) == hosts
    assert {one["verdict"] for one in found["hosts"]} <= {"ok", "inconclusive", "slow"}
    assert (found["points"], found["phases"]) == (6, ["store", "lookup", "load"])
    assert run.exit_code == found["exit_code"]
