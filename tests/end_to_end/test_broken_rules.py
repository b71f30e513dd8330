"""What is recorded when an adapter breaks a rule of LMCache's interface: no number, and the rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import Run, RunL2Sweep, plugin_option

# 1 warm-up and 3 measured rounds of 2 submits of 4 keys of 128 KiB. Submits 3 and 4 are those of round 2.
SMALL = (
    *("num_keys=4", "in_flight=2", "data_size_kb=128", "rounds=3", "lookup_max_hit_rate=1.0"),
    *("timeout_s.load=2", "timeout_s.store=2"),
)
SUBMIT_BYTES = 4 * 2**17

OneRound = ["ok", "error", "ok", "ok"]
AllLater = ["ok", "error", "error", "error"]
Breaking = Callable[[str], str]


@pytest.fixture
def breaking(tmp_path: Path) -> Breaking:
    """Return the option that selects an adapter of ``tests/adapters/rule_breaking_adapters.py``."""
    return lambda name: plugin_option("rule_breaking_adapters", name, base_path=str(tmp_path / "kv"))


def rows_of(rounds: pd.DataFrame, phase: str) -> pd.DataFrame:
    return rounds[rounds["phase"] == phase].reset_index(drop=True)


@pytest.mark.parametrize("skip_verify", ["true", "false"])
@pytest.mark.parametrize(
    ("class_name", "rule"),
    [
        ("DoubledLoad", "the bitmap has 8 bits for 4 keys"),
        ("ShiftedLoad", "the bitmap has 8 bits for 4 keys"),
        ("RoundedUpLoad", "the bitmap has 8 bits for 4 keys"),
        ("ShortLoad", "the bitmap has 1 bit for 4 keys"),
        ("ListLoad", "the result has type list, not Bitmap"),
    ],
)
def test_a_load_whose_result_breaks_a_rule_is_an_error_that_names_it(
    run_l2sweep: RunL2Sweep, breaking: Breaking, skip_verify: str, class_name: str, rule: str
) -> None:
    run = run_l2sweep(breaking(class_name), f"skip_verify={skip_verify}", *SMALL, FAULT_AT="3")
    check(run, "load", rule, OneRound, SUBMIT_BYTES)


@pytest.mark.parametrize(
    ("class_name", "phase", "rule", "statuses"),
    [
        ("NoId", "load", "the task id has type NoneType, not int", AllLater),
        ("OldId", "load", "task id 0 was used before", ["ok", "error", "error", "error"]),
        ("RaisingLoad", "load", "submit_load_task raised ValueError: no such key", OneRound),
        ("RaisingQuery", "load", "query_load_result raised KeyError: ", OneRound),
        ("NeverAnsweringQuery", "load", "query_load_result raised KeyError: ", AllLater),
        ("ClosedEvent", "load", "the event descriptor cannot be read", AllLater),
        ("DoubledLookup", "lookup", "the bitmap has 8 bits for 4 keys", OneRound),
        ("EmptyLookup", "lookup", "the bitmap has 0 bits for 4 keys", OneRound),
        ("NumberLookup", "lookup", "the result has type int, not Bitmap", OneRound),
        ("NoLookupId", "lookup", "the task id has type NoneType, not int", OneRound),
        ("RaisingLookup", "lookup", "raised ConnectionError: the server is down", OneRound),
        ("RaisingUnlock", "lookup", "submit_unlock raised PermissionError: not locked", OneRound),
    ],
)
def test_a_broken_rule_of_a_lookup_or_load_is_an_error_that_names_it(
    run_l2sweep: RunL2Sweep,
    breaking: Breaking,
    class_name: str,
    phase: str,
    rule: str,
    statuses: list[str],
) -> None:
    first_of_round_2 = "7" if phase == "lookup" else "3"  # four lookups check the keys of a store
    run = run_l2sweep(breaking(class_name), *SMALL, FAULT_AT=first_of_round_2)
    check(run, phase, rule, statuses)


@pytest.mark.parametrize(
    ("class_name", "rule", "statuses", "bytes_ok"),
    [
        ("TooMuchStore", "bytes_transferred is 524289 for a payload of 524288", OneRound, SUBMIT_BYTES),
        ("NegativeStore", "bytes_transferred is negative: -4096", OneRound, SUBMIT_BYTES),
        ("FloatStore", "bytes_transferred has type float, not int", OneRound, SUBMIT_BYTES),
        ("TrueStore", "the result has type bool, not L2StoreResult", OneRound, SUBMIT_BYTES),
        ("UnreadableStore", "reading the result raised RuntimeError: the counter", OneRound, SUBMIT_BYTES),
        ("TextId", "the task id has type str, not int", AllLater, None),
        ("SharedId", "was used before", AllLater, None),
    ],
)
def test_a_broken_rule_of_a_store_is_an_error_that_names_it(
    run_l2sweep: RunL2Sweep,
    breaking: Breaking,
    class_name: str,
    rule: str,
    statuses: list[str],
    bytes_ok: int | None,
) -> None:
    run = run_l2sweep(breaking(class_name), "only=store", *SMALL, FAULT_AT="4")
    check(run, "store", rule, statuses, bytes_ok)


@pytest.mark.parametrize(
    ("class_name", "rule", "goes_on"),
    [
        ("UnknownTask", "a result for task 1000000000, which was never submitted", True),
        ("RepeatedTask", "a second result for task ", True),
        ("RaisingPop", "pop_completed_store_tasks raised RuntimeError: try again", True),
        ("ListPop", "pop_completed_store_tasks returned type list, not dict", True),
        ("LosingPop", "pop_completed_store_tasks raised RuntimeError: lost", False),
    ],
)
def test_a_broken_rule_at_the_collection_of_results_is_an_error_that_names_it(
    run_l2sweep: RunL2Sweep, breaking: Breaking, class_name: str, rule: str, goes_on: bool
) -> None:
    run = run_l2sweep(breaking(class_name), "only=store", *SMALL, "in_flight=1", FAULT_AT="2")
    check(run, "store", rule, OneRound if goes_on else AllLater)


@pytest.mark.parametrize("only", ["only=null", "only=store"])
def test_a_task_id_that_an_earlier_check_got_confirms_no_store(
    run_l2sweep: RunL2Sweep, breaking: Breaking, only: str
) -> None:
    run = run_l2sweep(breaking("IdsBySize"), *SMALL, only)
    assert run.exit_code == 1
    rows = rows_of(run.rounds, "store")
    assert rows["status"].tolist() == ["error"] * 4
    assert "store: the lookup of the stored keys failed: task id 0 was used before" in rows["detail"][0]
    assert not (rows["mib_per_s"] > 0).any()


def check(run: Run, phase: str, rule: str, statuses: list[str], bytes_ok: int | None = None) -> None:
    """Check that the second round of a phase broke a rule, and that no broken round yields a number."""
    rows = rows_of(run.rounds, phase)
    assert rows["status"].tolist() == statuses, rows["detail"].tolist()
    assert rows["detail"][1].startswith(f"{phase}: ")
    assert rule in rows["detail"][1]
    broken = rows[rows["status"] == "error"]
    assert broken["duration_s"].isna().all()
    assert not (broken["mib_per_s"] > 0).any()
    assert not (broken["keys_per_s"] > 0).any()
    assert rows["elapsed_s"][1] > 0
    if bytes_ok is not None:
        assert rows["bytes_ok"][1] == bytes_ok
    assert run.exit_code == 1
    assert rule in run.points["detail"][0]


def test_an_adapter_without_an_event_descriptor_has_a_row_for_each_round(
    run_l2sweep: RunL2Sweep, breaking: Breaking
) -> None:
    run = run_l2sweep(breaking("NoEvent"), *SMALL)
    loads = rows_of(run.rounds, "load")
    reason = "not run: load: getting the event descriptor raised OSError: too many open files"
    assert loads["detail"].tolist() == [reason] * 4
    assert loads["elapsed_s"].isna().all()
    assert rows_of(run.rounds, "store")["status"].tolist() == ["ok"] * 4
    assert run.exit_code == 1


def test_a_sweep_goes_on_after_a_point_that_broke_a_rule(run_l2sweep: RunL2Sweep, breaking: Breaking) -> None:
    small = [option for option in SMALL if not option.startswith("num_keys")]
    run = run_l2sweep("-m", breaking("NeverAnsweringQuery"), "num_keys=1,2", *small, FAULT_AT="4")
    assert run.points["status"].tolist() == ["failed", "failed"]
    assert len(run.rounds) == 2 * 3 * 4
    assert run.exit_code == 1


def test_a_store_that_reports_too_few_bytes_is_told_apart_from_keys_that_were_there(
    run_l2sweep: RunL2Sweep, breaking: Breaking
) -> None:
    run = run_l2sweep(breaking("HalfStore"), "only=store", *SMALL, FAULT_AT="3")
    stores = rows_of(run.rounds, "store")
    assert stores["status"].tolist() == ["ok", "partial", "ok", "ok"]
    assert stores["detail"][1] == "6 of 8 keys stored: LMCache reports success with 256 of 512 KiB moved"
    assert stores["bytes_ok"][1] == SUBMIT_BYTES * 3 // 2
    assert run.exit_code == 1


@pytest.mark.parametrize("in_flight", [4, 16])
def test_a_submit_that_blocks_has_its_own_latency(
    run_l2sweep: RunL2Sweep, breaking: Breaking, in_flight: int
) -> None:
    run = run_l2sweep(breaking("BlockingStore"), "only=store", *SMALL, f"in_flight={in_flight}")
    assert run.exit_code == 0, run.out
    stores = rows_of(run.rounds, "store")
    for _, row in stores.iterrows():
        assert len(row["submit_latency_s"]) == in_flight
        assert sum(row["submit_latency_s"]) <= row["duration_s"]  # they follow one another


def test_a_submit_that_times_out_is_recorded_with_the_time_that_it_was_waited_for(
    run_l2sweep: RunL2Sweep, faulty: Breaking
) -> None:
    run = run_l2sweep(faulty("LateStore"), "only=store", *SMALL, "timeout_s.store=0.6", FAULT_AT="3")
    stores = rows_of(run.rounds, "store")
    assert stores["status"].tolist() == ["ok", "timeout", "ok", "ok"]
    assert stores["submit_unfinished_s"].map(len).tolist() == [0, 1, 0, 0]
    assert stores["submit_unfinished_s"][1][0] > 0.5
    assert stores["elapsed_s"][1] >= 0.6
    assert (stores["elapsed_s"] >= stores["duration_s"]).tolist() == [True, False, True, True]
