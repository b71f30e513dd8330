"""``l2sweep tune`` over real sweeps: on a disk with its counters, and in memory, where there is no device."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, RunL2Sweep

import l2sweep

pytestmark = pytest.mark.usefixtures("fio")
GRID = ("-m", "adapter=fs,fio", "in_flight=1,4", "num_keys=4", "data_size_kb=1024", "rounds=2", "repeats=2")
COLD = ("cache=cold", "cache.method=fadvise")


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a folder on tmpfs."""
    folder = Path("/dev/shm/l2sweep-tune-test")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def answer(run_l2sweep: RunL2Sweep, *arguments: str) -> Any:
    run = run_l2sweep("tune", "latest", "--format", "json", *arguments)
    assert run.exit_code == 0, run.err
    return json.loads(run.out)


def rates(run: Run, adapter: str, in_flight: int) -> list[float]:
    """Return the throughput of each process of a load, from the rows."""
    rows = run.rounds
    rows = rows[(rows["phase"] == "load") & ~rows["is_warmup"] & (rows["adapter_type"] == adapter)]
    rows = rows[rows["in_flight"] == in_flight]
    sums = rows.groupby("point_index")[["bytes_ok", "duration_s"]].sum()
    return list(sums["bytes_ok"] / 2**20 / sums["duration_s"])


def test_a_cold_sweep_with_fio_is_tuned(run_l2sweep: RunL2Sweep, tmp_path: Path) -> None:
    run = run_l2sweep(*GRID, *COLD, f"scratch_dir={tmp_path}/kv")
    assert run.exit_code == 0, run.out + run.err
    assert set(run.points.loc[run.points["phase"] == "load", "cache_state"]) == {"cold"}
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert (loads["block_device_reads"] > 0).all()
    assert (loads["block_device_read_time_s"] > 0).all()
    assert (loads["block_device_queue_s"] >= loads["block_device_read_time_s"] - 0.002).all()
    found = answer(run_l2sweep)
    by_setting = {(row["adapter_type"], row["in_flight"]): row for row in found["curve"]}
    assert set(by_setting) == {(adapter, depth) for adapter in ("fs", "fio") for depth in (1, 4)}
    medians = {place: statistics.median(rates(run, *place)) for place in by_setting}
    for (adapter, depth), row in by_setting.items():
        assert row["rate"] == pytest.approx(medians[adapter, depth])
        assert row["processes"] == 2
        if adapter == "fs":
            assert row["fio_share"] == pytest.approx(medians["fs", depth] / medians["fio", depth])
    within = [
        depth for depth in (1, 4) if medians["fs", depth] >= 0.95 * max(medians["fs", 1], medians["fs", 4])
    ]
    assert [row["in_flight"] for row in found["curve"] if row["is_knee"]] == [min(within)]
    assert f"in_flight={min(within)}" in " ".join(found["recommendation"])
    knees = l2sweep.knee(run.rounds).set_index("adapter_type")["knee"]
    assert knees["fs"] == min(within)
    assert set(knees.index) == {"fs", "fio"}
    hot = run_l2sweep("tune", "--at", "hot")
    assert hot.exit_code == 2
    assert "no load is hot (processes: 8 cold)" in hot.err


def test_in_memory_the_device_is_not_known(run_l2sweep: RunL2Sweep, memory: Path) -> None:
    run = run_l2sweep(*GRID, "repeats=1", f"scratch_dir={memory}/kv")
    assert run.exit_code == 0, run.out + run.err
    columns = [name for name in run.rounds.columns if name.startswith("block_device_")]
    assert len(columns) == 13
    assert run.rounds[columns].isna().all(axis=None)
    found = answer(run_l2sweep, "--at", "hot")
    assert {row["queue_depth"] for row in found["curve"]} == {None}
    said = " ".join(found["recommendation"])
    assert "is not known: the path has no block device whose counters are known" in said
    cold = run_l2sweep("tune", "--at", "cold")
    assert cold.exit_code == 2
    assert "no load is cold (processes: 4 warm); run `l2sweep experiment=tune`" in cold.err
    assert len(cold.err.splitlines()) == 1
