"""Cold sweeps on the disk of this machine, with the real page cache."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep

COLD = ("-m", "cache=cold", "num_keys=8,32", "data_size_kb=1024", "rounds=3")
Faulty = Callable[[str], str]


@pytest.mark.alone
@pytest.mark.usefixtures("root")
def test_every_cold_load_is_read_from_the_device(run_l2sweep: RunL2Sweep) -> None:
    run = run_l2sweep(*COLD)
    assert run.exit_code == 0, run.err
    points = run.points
    assert points["phase"].tolist() == ["store", "lookup", "load"] * 2
    loads = points[points["phase"] == "load"]
    assert set(loads["cache_state"]) == {"cold"}
    assert set(loads["cache_method"]) == {"drop_caches"}
    assert (loads["resident_after_fraction"] <= 0.01).all()
    assert (loads["device_read_fraction"] >= 0.95).all()
    assert (loads["resident_at_end_fraction"] > 0.9).all()
    # Counting pages would load the names and inodes that a cold lookup measures.
    assert points[points["phase"] == "lookup"]["resident_at_end_fraction"].isna().all()
    assert (points["drop_s"].notna() == (points["phase"] != "store")).all()
    lookups = points[points["phase"] == "lookup"]
    assert (lookups["resident_before_fraction"] > 0.9).all()  # the stored data were in the page cache
    assert set(lookups["cache_state"]) == {"cold"}
    rounds = run.rounds
    assert len(rounds) == 2 * 3 * 4
    assert set(rounds[rounds["phase"] == "load"]["cache_state"]) == {"cold"}
    assert rounds.groupby("point_index")["namespace"].nunique().tolist() == [1, 1]
    assert (rounds["status"] == "ok").all()
    assert "page cache" in run.out
    assert not list((run.results_dir).glob("scratch/*"))


def test_fadvise_makes_a_load_cold_without_root(as_nobody_l2sweep: RunL2Sweep) -> None:
    run = as_nobody_l2sweep(*COLD, "cache.method=fadvise")
    assert run.exit_code == 0, run.err
    loads = run.points[run.points["phase"] == "load"]
    assert loads["cache_state"].tolist() == ["cold", "cold"]
    assert (loads["resident_after_fraction"] <= 0.01).all()
    assert (loads["device_read_fraction"] >= 0.95).all()
    lookups = run.points[run.points["phase"] == "lookup"]
    assert set(lookups["cache_state"]) == {"uncontrolled"}  # names and inodes stay in memory
    denied = as_nobody_l2sweep(*COLD, "cache.method=drop_caches")
    assert denied.exit_code == 2
    assert denied.err.startswith("l2sweep: cache.method=drop_caches: cannot be used here: /proc/sys/vm/")


@pytest.mark.alone
@pytest.mark.parametrize("phases", ["load", "lookup,load"])
def test_a_point_whose_files_are_read_after_the_drop_fails_as_warm(
    run_l2sweep: RunL2Sweep, other_reader: Callable[[str], None], phases: str, tmp_path: Path
) -> None:
    other_reader(str(tmp_path / "kv"))
    run = run_l2sweep(
        *("-m", "cache=cold", f"cache.drop_before=[{phases}]", "cache.method=fadvise", "num_keys=16"),
        *("data_size_kb=1024", "rounds=3", f"adapter.base_path={tmp_path}/kv"),
    )
    assert run.exit_code == 1
    (row,) = run.points[run.points["phase"] == "load"].to_dict("records")
    assert (row["status"], row["cache_state"]) == ("warm", "warm")
    assert row["detail"]
    assert "cold" not in set(run.rounds[run.rounds["phase"] == "load"]["cache_state"])
    assert "warm: " in run.out


@pytest.mark.parametrize("adapter", ["fs", "fs_native"])
def test_o_direct_bypasses_the_cache_except_where_lmcache_falls_back_to_buffered_reads(
    run_l2sweep: RunL2Sweep, adapter: str
) -> None:
    run = run_l2sweep(
        *("-m", "cache=cold", "cache.method=fadvise", f"adapter={adapter}", "+adapter.use_odirect=true"),
        *("data_size_kb=1022", "l1_align_bytes=2048", "num_keys=4", "rounds=2"),
    )
    assert run.exit_code == 0, run.err
    (load,) = run.points[run.points["phase"] == "load"].to_dict("records")
    assert load["cache_state"] == "cold"
    assert load["device_read_fraction"] >= 0.9
    aligned = run_l2sweep(
        *("cache=cold", "cache.method=fadvise", f"adapter={adapter}", "+adapter.use_odirect=true"),
        *("data_size_kb=1024", "num_keys=4", "rounds=2"),
    )
    assert aligned.exit_code == 0, aligned.err
    last = aligned.points.iloc[-1]
    assert (last["phase"], last["cache_state"]) == ("load", "bypassed")
    assert last["device_read_fraction"] >= 0.95
    hot = run_l2sweep(f"adapter={adapter}", "+adapter.use_odirect=true", "data_size_kb=1024", "num_keys=4")
    assert hot.points.iloc[-1]["cache_state"] == "bypassed"
    buffered = run_l2sweep(f"adapter={adapter}", "data_size_kb=1024", "num_keys=4")
    assert buffered.points.iloc[-1]["cache_state"] == "warm"


def test_a_durable_store_reports_the_time_of_its_flush(
    run_l2sweep: RunL2Sweep,
) -> None:
    run = run_l2sweep("-m", "cache.store_durable=true", "num_keys=32", "data_size_kb=1024", "rounds=3")
    assert run.exit_code == 0, run.err
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert (stores["flush_s"] > 0).all()
    assert (stores["durable_mib_per_s"] < stores["mib_per_s"]).all()
    assert run.rounds[run.rounds["phase"] != "store"]["flush_s"].isna().all()
    assert "durable MiB/s" in run.out


def test_a_command_that_fails_fails_the_point_and_one_that_hangs_is_ended(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    fails = "{ echo no route >&2; exit 7; }"
    counted = f"echo >> {tmp_path}/calls; test $(wc -l < {tmp_path}/calls) -lt 3 || {fails}"
    run = run_l2sweep(
        *("-m", "cache=cold", "cache.method=command", f"cache.command='{counted}'"),
        *("cache.drop_before=[load]", "num_keys=2,4", "adapter=fs", "cache.max_resident_fraction=1"),
    )
    assert run.exit_code == 1
    loads = run.points[run.points["phase"] == "load"]
    assert "failed" in loads["status"].tolist()
    failed = loads[loads["status"] == "failed"].iloc[0]
    assert "exit code 7: no route" in failed["detail"]
    hanging = run_l2sweep(
        "cache=cold", "cache.method=command", "cache.command='sleep 60'", "cache.command_timeout_s=0.3"
    )
    assert hanging.exit_code == 2
    assert "took more than 0.3 s" in hanging.err


@pytest.mark.alone
@pytest.mark.usefixtures("root")
def test_pages_that_an_overlay_hides_are_unknown_and_not_zero(run_l2sweep: RunL2Sweep, overlay: Path) -> None:
    run = run_l2sweep(*COLD, f"adapter.base_path={overlay}/kv")
    assert run.exit_code == 0, run.err
    loads = run.points[run.points["phase"] == "load"]
    assert set(loads["cache_state"]) == {"cold"}  # proved by the reads of the device
    assert (loads["device_read_fraction"] >= 0.95).all()
    columns = [name for name in run.points if name.startswith(("resident_", "dirty_"))]
    assert len(columns) == 5
    assert run.points[columns].isna().all(axis=None)
    undropped = run_l2sweep(*COLD, f"adapter.base_path={overlay}/kv", "cache.method=none")
    assert undropped.exit_code == 1
    warm = undropped.points[undropped.points["cache_method"].isna() & (undropped.points["phase"] == "load")]
    assert set(warm["status"]) == {"warm"}


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Path]:
    """Mount an overlay of two folders on the disk."""
    for name in ("lower", "upper", "work", "mounted"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    mounted = tmp_path / "mounted"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(mounted)], check=True)
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


@pytest.fixture
def other_reader() -> Iterator[Callable[[str], None]]:
    """Start a process that reads all files of a folder without end."""
    started: list[subprocess.Popen[bytes]] = []

    def read_without_end(folder: str) -> None:
        code = (
            "import pathlib, sys\n"
            "while True:\n"
            "    for path in pathlib.Path(sys.argv[1]).rglob('*.data'):\n"
            "        try: path.read_bytes()\n"
            "        except OSError: pass\n"
        )
        started.append(subprocess.Popen([sys.executable, "-c", code, folder]))

    yield read_without_end
    for process in started:
        process.kill()
        process.wait()
