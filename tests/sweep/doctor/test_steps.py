"""The steps of an examination and its verdict, from what the benchmark processes report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fake_process import round_measured
from fake_starter import ACCEPTED, CREATED

from l2sweep.bench.messages import Finished, Message, PhaseEnded, PhaseStarted, RoundMeasured
from l2sweep.process.bench_process import ProcessEnd
from l2sweep.process.report import ProcessReport
from l2sweep.sweep.doctor.steps import (
    DELETE,
    FAILED,
    LOAD,
    LOOKUP,
    NOT_POSSIBLE,
    OK,
    OTHER_LOOKUP,
    STEPS,
    STORE,
    Diagnosis,
    Step,
    delete_step,
    load_step,
    lookup_step,
    other_lookup_step,
    steps_not_run,
    store_step,
)

ENDED = ProcessEnd(0, None, "", "", 1.0, 1 << 20)
KILLED = replace(ENDED, exit_code=None, signal=15, exceeded_limit="timeout", exceeded_detail="25 s passed")
DONE = Finished(0, "", 1, keys_removed=True)


def one(phase: str, **changes: Any) -> RoundMeasured:
    """Return a round of 4 keys of 256 KiB in which everything succeeded."""
    sizes = {"keys_requested": 4, "keys_expected": 4, "keys_ok": 4, "bytes_requested": 4 << 18}
    verified = {"verified_keys": 4 if phase == LOAD else 0}
    return replace(round_measured(phase), **{**sizes, **verified, **changes})


def report(
    *rounds: RoundMeasured, end: ProcessEnd = ENDED, problem: str = "", last: Finished | None = DONE
) -> ProcessReport:
    """Return the report of a process with these rounds, each of a phase of its own."""
    messages: list[Message] = [ACCEPTED, CREATED]
    for measured in rounds:
        ended = PhaseEnded(measured.phase, problem=problem if measured.phase == STORE else "")
        messages += [PhaseStarted(measured.phase), measured, ended]
    made = ProcessReport()
    for message in [*messages, *([] if last is None else [last])]:
        made.add(message)
    made.end = end
    return made


def failed_store(
    keys_ok: int = 0, detail: str = "0 of 4 keys stored, 1 of 1 submits failed"
) -> RoundMeasured:
    return one(STORE, status="partial" if keys_ok else "error", keys_ok=keys_ok, detail=detail)


def test_a_healthy_adapter_is_ok_in_each_phase() -> None:
    healthy = report(one(STORE), one(LOOKUP), one(LOAD))
    assert store_step(healthy) == Step(STORE, OK, "4 keys of 256 KiB in 500.0 ms")
    assert lookup_step(healthy) == Step(LOOKUP, OK, "4 of 4 keys found in 500.0 ms")
    assert load_step(healthy) == Step(LOAD, OK, "4 keys, every byte as stored, in 500.0 ms")
    assert other_lookup_step(report(one(LOOKUP)), healthy).outcome == OK
    assert delete_step(report(), "n", 0) == Step(DELETE, OK, "no key is found any more, and no file is left")
    assert delete_step(report(), "n", None).seen == "no key is found any more"
    pool = delete_step(report(), "n", None, other_files=16)
    assert pool.seen == "no key is found any more; 16 files of the adapter stay in its new folder"


def test_a_store_that_failed_has_its_cause() -> None:
    step = store_step(report(failed_store(detail="0 of 4 keys stored; AUTH failed: -WRONGPASS")))
    assert step == Step(STORE, FAILED, "0 of 4 keys stored; AUTH failed: -WRONGPASS")
    step = store_step(report(one(STORE), problem="store: 4 of 4 stored keys are not found by a lookup"))
    assert step == Step(STORE, FAILED, "4 of 4 stored keys are not found by a lookup")


def test_keys_whose_store_failed_must_not_be_found() -> None:
    visible = report(failed_store(), one(LOOKUP), one(LOAD))
    assert lookup_step(visible).outcome == FAILED
    assert lookup_step(visible).seen == (
        "4 keys are found, but 0 were stored: keys whose store failed stay visible"
    )
    missing = one(LOOKUP, status="error", keys_ok=0, detail="0 keys found, 4 expected")
    assert lookup_step(report(failed_store(), missing)) == Step(LOOKUP, NOT_POSSIBLE, "nothing was stored")
    assert other_lookup_step(report(one(LOOKUP)), visible).outcome == FAILED
    step = other_lookup_step(report(missing), report(failed_store(), missing))
    assert step == Step(OTHER_LOOKUP, NOT_POSSIBLE, "nothing was stored")


def test_keys_of_a_store_that_is_late_may_be_found() -> None:
    late = one(STORE, status="timeout", keys_ok=0, duration_s=None, detail="1 of 1 submits did not complete")
    found = report(late, one(LOOKUP), one(LOAD))
    assert store_step(found).outcome == FAILED
    assert (lookup_step(found).outcome, load_step(found).outcome) == (OK, OK)


def test_a_part_of_the_keys_may_be_found_if_a_part_was_stored() -> None:
    half = one(LOOKUP, status="partial", keys_ok=2, detail="2 keys found, 4 expected")
    assert lookup_step(report(failed_store(2), half)).outcome == OK


def test_a_load_that_cannot_work_is_not_possible_and_a_load_with_wrong_bytes_failed() -> None:
    nothing = one(LOAD, status="error", keys_ok=0, verified_keys=0, detail="0 of 4 keys loaded")
    assert load_step(report(failed_store(), nothing)) == Step(LOAD, NOT_POSSIBLE, "nothing was stored")
    wrong = one(LOAD, status="partial", keys_ok=3, mismatched_keys=1, detail="load: 1 key has wrong bytes")
    assert load_step(report(one(STORE), wrong)) == Step(LOAD, FAILED, "1 key has wrong bytes")
    unchecked = one(LOAD, verified_keys=0)
    assert load_step(report(one(STORE), unchecked)).outcome == FAILED


def test_a_phase_after_one_that_never_completed_is_not_possible() -> None:
    stuck = one(STORE, status="timeout", keys_ok=0, duration_s=None)
    not_run = one(LOOKUP, status="error", started_at_s=None, duration_s=None, keys_ok=0)
    assert lookup_step(report(stuck, not_run)) == Step(LOOKUP, NOT_POSSIBLE, "not run: store failed")
    killed = report(stuck, end=KILLED, last=None)
    assert lookup_step(killed) == Step(LOOKUP, NOT_POSSIBLE, "not run: store failed")
    assert delete_step(killed, "n", None) == Step(
        DELETE, FAILED, "ended by l2sweep during store: 25 s passed; keys of namespace n may remain"
    )


def test_an_adapter_that_is_not_created_fails_the_store_and_makes_the_rest_impossible() -> None:
    made = ProcessReport(accepted=ACCEPTED, end=ENDED, finished=Finished(1, "it could not be created", 1))
    assert store_step(made) == Step(STORE, FAILED, "it could not be created")
    assert lookup_step(made) == Step(LOOKUP, NOT_POSSIBLE, "not run: the creation of the adapter failed")
    assert load_step(made).outcome == NOT_POSSIBLE


@pytest.mark.parametrize(
    ("finished", "files_left", "outcome", "seen"),
    [
        (
            Finished(1, "3 keys left", 1, keys_left=3),
            0,
            FAILED,
            "3 keys are still found after they were deleted",
        ),
        (Finished(0, "", 1, keys_stay=True), 0, NOT_POSSIBLE, "FSL2Adapter cannot delete"),
        (Finished(1, "the lookup of deleted keys failed: timed out", 1), 0, FAILED, "timed out"),
        (DONE, 2, FAILED, "no key is found any more, but 2 files of them were left"),
    ],
)
def test_a_deletion_must_be_proven(finished: Finished, files_left: int, outcome: str, seen: str) -> None:
    step = delete_step(report(last=finished), "n", files_left)
    assert step.outcome == outcome
    assert seen in step.seen


def test_the_verdict_names_what_was_not_checked_or_the_first_cause() -> None:
    fine = Diagnosis("fs", [Step(STORE, OK, "4 keys"), Step(DELETE, NOT_POSSIBLE, "cannot")])
    assert fine.verdict == "ok: fs works: store; not checked: delete"
    assert fine.exit_code == 0
    steps = [
        Step(STORE, FAILED, "AUTH failed"),
        Step(LOOKUP, NOT_POSSIBLE, "-"),
        Step(DELETE, FAILED, "left"),
    ]
    bad = Diagnosis("resp", steps)
    assert bad.verdict == "failed: resp: store: AUTH failed; also failed: delete"
    assert bad.exit_code == 1
    assert Diagnosis("fs", steps[:1]).verdict == "failed: fs: store: AUTH failed"


def test_steps_that_were_not_run_have_the_reason() -> None:
    assert [step.name for step in steps_not_run(STEPS, "the probe failed")] == list(STEPS)
    assert {step.seen for step in steps_not_run(STEPS, "the probe failed")} == {"not run: the probe failed"}
