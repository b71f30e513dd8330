"""What is recorded when an adapter fails: with adapters of LMCache that have one fault each."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import RunL2Sweep

SMALL = ("num_keys=4", "data_size_kb=128", "rounds=3")
Faulty = Callable[[str], str]


def test_a_round_that_times_out_has_no_duration_and_its_late_completion_is_not_counted(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    run = run_l2sweep(faulty("LateStore"), "timeout_s.store=0.6", "skip_verify=false", *SMALL, FAULT_AT="2")
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert stores["status"].tolist() == ["ok", "timeout", "ok", "ok"]
    assert stores["duration_s"].isna().tolist() == [False, True, False, False]
    assert stores["bytes_ok"].tolist()[1] == 0
    assert stores["submit_latency_s"].map(len).tolist() == [1, 0, 1, 1]
    assert (stores["duration_s"].dropna() < 0.6).all()
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert (loads["status"] == "ok").all()  # the late store completed, with the right bytes
    assert run.exit_code == 1
    assert "Rounds timed out:                                              1" in run.out


def test_a_warm_up_round_that_times_out_changes_no_measured_round(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    run = run_l2sweep(faulty("LateStore"), "timeout_s.store=0.6", "only=store", *SMALL, FAULT_AT="1")
    measured = run.rounds[~run.rounds["is_warmup"]]
    assert measured["status"].tolist() == ["ok", "ok", "ok"]
    assert run.exit_code == 0


def test_after_a_submit_that_never_completes_no_later_round_runs(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    run = run_l2sweep(faulty("LostStore"), "timeout_s.store=0.5", *SMALL, FAULT_AT="2")
    assert run.exit_code == 1
    assert run.rounds["status"].tolist() == ["ok", "timeout"] + ["error"] * 10
    assert run.rounds["duration_s"].notna().sum() == 1
    assert "round 2 never completed" in run.rounds["detail"][2]


def test_wrong_loaded_bytes_are_counted_and_located_and_fail_the_point(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    run = run_l2sweep(faulty("FlippedByte"), "skip_verify=false", *SMALL, FAULT_AT="3")
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert loads["mismatched_keys"].tolist() == [0, 0, 1, 0]
    assert loads["verified_keys"].tolist() == [0, 4, 4, 4]
    assert loads["bytes_ok"].tolist() == [4 * 2**17, 4 * 2**17, 3 * 2**17, 4 * 2**17]
    assert "first at key 9, byte 70000" in loads["detail"].tolist()[2]
    assert "[Verify] 1 of 12 loaded keys have wrong bytes!" in run.out
    assert run.exit_code == 1


def test_a_load_that_writes_nothing_is_detected(run_l2sweep: RunL2Sweep, faulty: Faulty) -> None:
    run = run_l2sweep(faulty("LyingLoad"), "skip_verify=false", *SMALL, FAULT_AT="2,3,4")
    loads = run.rounds[(run.rounds["phase"] == "load") & ~run.rounds["is_warmup"]]
    assert loads["mismatched_keys"].tolist() == [4, 4, 4]
    assert loads["keys_ok"].tolist() == [0, 0, 0]
    assert (loads["mib_per_s"] == 0).all()
    assert run.exit_code == 1


def test_an_error_of_the_adapter_fails_its_round_and_the_others_run(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    run = run_l2sweep(faulty("RaisingStore"), *SMALL, FAULT_AT="2")
    stores = run.rounds[run.rounds["phase"] == "store"]
    assert stores["status"].tolist() == ["ok", "error", "ok", "ok"]
    assert "RuntimeError: the disk is on fire" in stores["detail"].tolist()[1]
    loads = run.rounds[run.rounds["phase"] == "load"]
    assert loads["status"].tolist() == ["ok", "error", "ok", "ok"]


def test_a_second_store_of_keys_that_cannot_be_deleted_is_refused(
    run_l2sweep: RunL2Sweep, faulty: Faulty
) -> None:
    first = run_l2sweep(faulty("NeverDeleting"), "only=store", *SMALL)
    assert first.exit_code == 0
    second = run_l2sweep(faulty("NeverDeleting"), "only=store", *SMALL)
    assert second.exit_code == 1
    assert len(second.rounds) == 4  # those of the first run
    assert "16 keys" in second.points["detail"][1]
    assert "cannot delete" in second.points["detail"][1]


def test_every_lock_that_a_lookup_takes_is_released(run_l2sweep: RunL2Sweep, faulty: Faulty) -> None:
    run = run_l2sweep(faulty("LockCounting"), "lookup_max_hit_rate=1.0", "in_flight=3", *SMALL)
    assert run.exit_code == 0, run.out
    assert run.rounds[run.rounds["phase"] == "lookup"]["keys_ok"].tolist() == [12] * 4
    assert "locks left: 0" in run.log()


def test_an_adapter_that_cannot_be_created_fails_the_point_with_the_reason(
    run_l2sweep: RunL2Sweep, tmp_path: Path
) -> None:
    run = run_l2sweep('adapter_json={"type":"plugin","module_path":"faulty_adapters","class_name":"Missing"}')
    assert run.exit_code == 1
    assert "has no class 'Missing'" in run.points["detail"][0]
    assert "failed: the adapter could not be created" in run.out


def test_an_error_that_the_adapter_logs_is_in_the_detail_of_the_point(
    run_l2sweep: RunL2Sweep, faulty: Callable[[str], str]
) -> None:
    run = run_l2sweep(faulty("LostFolder"), *SMALL, FAULT_AT="2")
    assert run.exit_code == 1
    assert "FileNotFoundError" in run.points["detail"][0]


def test_missing_huge_pages_fail_the_point(run_l2sweep: RunL2Sweep, few_huge_pages: bool) -> None:
    run = run_l2sweep("adapter=mock", "l1_use_hugepages=true", "num_keys=64", "data_size_kb=1024")
    assert run.exit_code == 1
    assert "needs 64 free pages of 2 MiB" in run.points["detail"][0]
    if few_huge_pages:
        small = run_l2sweep("adapter=mock", "l1_use_hugepages=true", "skip_verify=false", *SMALL)
        assert small.exit_code == 0, small.out


@pytest.fixture
def few_huge_pages() -> Iterator[bool]:
    """Put 4 pages of 2 MiB into the pool if that is allowed, and return whether it worked."""
    pool = Path("/proc/sys/vm/nr_hugepages")
    before = pool.read_text()
    try:
        pool.write_text("4")
    except OSError:
        yield False
        return
    yield int(pool.read_text()) == 4
    pool.write_text(before)


def test_a_time_out_names_the_error_of_a_thread_that_ended(run_l2sweep: RunL2Sweep, faulty: Faulty) -> None:
    run = run_l2sweep(faulty("DyingThread"), "timeout_s.store=0.5", "only=store", *SMALL, FAULT_AT="2")
    assert run.exit_code == 1
    timed_out = run.rounds[run.rounds["status"] == "timeout"]
    assert timed_out["round"].tolist() == [2]
    assert "store-worker ended with RuntimeError: the worker is out of luck" in timed_out["detail"].iloc[0]
    assert "the worker is out of luck" in run.points["detail"][0]
    assert "RuntimeError: the worker is out of luck" in run.log()  # with its traceback


def test_a_full_disk_is_named_as_the_cause_and_the_sweep_goes_on(
    run_l2sweep: RunL2Sweep, small_disk: Path
) -> None:
    run = run_l2sweep(
        "-m", f"adapter.base_path={small_disk}/kv", "data_size_kb=512", "num_keys=5,4,1", "keep_data=true"
    )
    assert run.exit_code == 1
    assert run.points["status"].tolist() == ["ok", "failed", "failed"]
    for detail in run.points["detail"][1:]:
        assert "No space left on device" in detail
    stores = run.rounds[(run.rounds["phase"] == "store") & (run.rounds["point_index"] > 0)]
    assert (stores["bytes_ok"] < stores["bytes_requested"]).any()
    assert "1 of 3 points measured, 2 failed" in run.out


@pytest.fixture
def small_disk(root: None, tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)
