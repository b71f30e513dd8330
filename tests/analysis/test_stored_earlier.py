"""What earlier store phases left under other options."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sample_rows import point_row

from l2sweep.analysis.stored_earlier import stored_earlier

WANTED = point_row(only="load", phase="load", namespace="l2sweep-wanted", rounds=3)


def stored(**changes: Any) -> dict[str, Any]:
    own = {"only": "store", "phase": "store", "namespace": "l2sweep-other", "rounds": 3}
    return point_row(**{**own, **changes})


def lines(*rows: dict[str, Any]) -> list[str]:
    return stored_earlier(pd.DataFrame([*rows, WANTED]), WANTED)


def test_the_options_that_differ_are_named() -> None:
    assert lines(stored(rounds=2)) == ["stored earlier: rounds=2 (this point: rounds=3)"]
    assert lines(stored(rounds=2, seed=1)) == [
        "stored earlier: rounds=2, seed=1 (this point: rounds=3, seed=7)"
    ]


def test_without_an_earlier_store_nothing_is_listed() -> None:
    assert lines() == []


def test_other_specs_failed_stores_and_full_runs_are_not_listed() -> None:
    assert lines(stored(rounds=2, adapter_spec="{}")) == []
    assert lines(stored(rounds=2, status="failed")) == []
    assert lines(stored(rounds=2, only=None)) == []
    assert lines(stored(rounds=2, only="load")) == []


def test_the_nearest_come_first_and_among_them_the_latest() -> None:
    rows = [stored(rounds=2, seed=1), stored(rounds=2), stored(num_keys=8)]
    assert lines(*rows) == [
        "stored earlier: num_keys=8 (this point: num_keys=4)",
        "stored earlier: rounds=2 (this point: rounds=3)",
        "stored earlier: rounds=2, seed=1 (this point: rounds=3, seed=7)",
    ]


def test_a_store_that_ran_twice_is_listed_once_and_no_more_than_three_are() -> None:
    assert len(lines(stored(rounds=2), stored(rounds=2))) == 1
    assert len(lines(*(stored(rounds=rounds) for rounds in range(10, 20)))) == 3


def test_a_given_namespace_is_named() -> None:
    assert lines(stored(rounds=2, namespace="mine")) == [
        "stored earlier: rounds=2, namespace=mine (this point: rounds=3, namespace=l2sweep-wanted)"
    ]


def test_the_same_options_with_another_namespace_are_named_by_it() -> None:
    assert lines(stored()) == [
        "stored earlier: namespace=l2sweep-other (this point: namespace=l2sweep-wanted)"
    ]


def test_keys_that_were_stored_and_are_gone_are_reported_so() -> None:
    assert lines(stored(namespace="l2sweep-wanted", sweep_id="first")) == [
        "stored earlier with the same options, by sweep first: the keys are gone"
    ]
