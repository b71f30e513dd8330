"""Tests of l2sweep.analysis.confirmation."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sample_rows import Row, nothing_moved, round_row, second_of_trace, timed_out

from l2sweep.analysis.confirmation import UNCONFIRMED, confirmed, what_load_found


def store_after(load: Row, **store: Any) -> Row:
    """Return the store round after its load was compared with it."""
    found, unchanged = confirmed([round_row("store", 2, **store), load])
    assert unchanged == load
    return dict(found)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"status": "partial", "keys_ok": 5, "mismatched_keys": 3}, "3 of 8 keys have wrong bytes"),
        ({"status": "partial", "keys_ok": 5}, "3 of 8 keys are missing"),
        ({"status": "error", "keys_ok": 0}, "8 of 8 keys are missing"),
        (
            {"status": "partial", "keys_ok": 5, "mismatched_keys": 1},
            "1 of 8 keys have wrong bytes, 2 of 8 keys are missing",
        ),
    ],
)
def test_wrong_and_missing_keys_of_a_load_count_against_its_store(changes: Row, found: str) -> None:
    store = store_after(round_row("load", 2, **changes), detail="a warning")
    assert (store["status"], store["keys_ok"], store["bytes_ok"]) == ("unconfirmed", 0, 0)
    assert store["detail"] == f"not confirmed by its load: {found}; a warning"
    assert store["duration_s"] == 0.5


@pytest.mark.parametrize(
    "load",
    [
        round_row("load", 2),
        round_row("load", 3, status="partial", keys_ok=5, mismatched_keys=3),
        timed_out("load", 2),
        nothing_moved("load", 2, duration_s=None),
        nothing_moved("load", 2, duration_s=math.nan),
        round_row("lookup", 2, status="error", keys_ok=0),
    ],
    ids=["ok", "another round", "timed out", "broken rule", "read by pandas", "lookup"],
)
def test_a_load_that_did_not_complete_and_other_rounds_prove_nothing(load: Row) -> None:
    assert store_after(load) == round_row("store", 2)


def test_keys_with_wrong_bytes_count_even_if_the_load_timed_out() -> None:
    store = store_after(timed_out("load", 2, keys_ok=3, mismatched_keys=1))
    assert store["detail"] == "not confirmed by its load: 1 of 8 keys have wrong bytes"


def test_keys_that_the_store_does_not_claim_are_not_missing() -> None:
    partial = {"status": "partial", "keys_ok": 5, "bytes_ok": 5 << 18}
    load = round_row("load", 2, status="partial", keys_ok=5)
    assert store_after(load, **partial)["status"] == "partial"
    fewer = round_row("load", 2, status="partial", keys_ok=4)
    assert store_after(fewer, **partial)["status"] == "unconfirmed"


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_a_store_with_an_earlier_problem_keeps_its_status(status: str) -> None:
    load = round_row("load", 2, status="error", keys_ok=0, mismatched_keys=8)
    store = store_after(load, status=status, keys_ok=4)
    assert (store["status"], store["keys_ok"], store["bytes_ok"]) == (status, 0, 0)


def test_loads_that_fail_on_purpose_prove_only_wrong_bytes() -> None:
    rows = [round_row("store", 2), round_row("load", 2, status="partial", keys_ok=5, mismatched_keys=1)]
    store = confirmed(rows, misses_prove=False)[0]
    assert store["detail"] == "not confirmed by its load: 1 of 8 keys have wrong bytes"
    rows[1]["mismatched_keys"] = 0
    assert confirmed(rows, misses_prove=False) == rows


def test_a_key_that_was_evicted_before_its_load_was_stored() -> None:
    load = round_row("load", 2, status="partial", duration_s=None, keys_ok=5, evicted_keys=3)
    assert confirmed([round_row("store", 2), load])[0]["status"] == "ok"
    load = round_row("load", 2, status="partial", duration_s=None, keys_ok=4, evicted_keys=3)
    store = confirmed([round_row("store", 2), load])[0]
    assert (store["status"], store["keys_ok"]) == (UNCONFIRMED, 0)
    assert store["detail"] == "not confirmed by its load: 1 of 8 keys are missing"


def test_what_the_load_found_is_that_of_the_unconfirmed_rounds() -> None:
    store = round_row("store", 2, status="unconfirmed")
    rows = [store, round_row("load", 2), round_row("load", 3, mismatched_keys=1)]
    assert what_load_found(rows) == "keys missing"
    rows[1]["mismatched_keys"] = 1
    assert what_load_found(rows) == "wrong bytes"


def test_the_seconds_of_a_trace_have_no_pairs() -> None:
    rows = [second_of_trace("store"), second_of_trace("load", keys_ok=2, status="partial")]
    assert confirmed(rows) == rows
