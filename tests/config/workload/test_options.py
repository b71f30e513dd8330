"""The number of rounds as a user asks for it: a number, or auto with limits."""

from __future__ import annotations

from typing import Any

import pytest
from shipped import point

from l2sweep.bench.workload import Workload
from l2sweep.errors import RequestError, shown

AUTO: dict[str, Any] = {"rounds": "auto", "warmup_rounds": "auto"}


def limits(workload: Workload) -> tuple[Any, ...]:
    return (
        workload.rounds,
        workload.precision,
        workload.max_seconds,
        workload.warmup_rounds,
        workload.warmup_auto,
    )


def problem(**changes: Any) -> str:
    with pytest.raises(RequestError) as refused:
        point(**changes)
    (sentence,) = refused.value.problems
    return sentence


def test_a_number_of_rounds_has_no_limits_beside_it() -> None:
    assert limits(point(rounds=3, warmup_rounds=2).amount) == (3, None, None, 2, False)


def test_auto_is_a_workload_of_the_most_rounds() -> None:
    workload = point(rounds="auto", max_rounds=30, max_seconds=5, precision=0.1).amount
    assert limits(workload) == (30, 0.1, 5.0, 1, False)
    assert workload.total_rounds == 31
    assert limits(point(**AUTO, max_warmup_rounds=9).amount) == (50, 0.05, 120.0, 9, True)


def test_an_auto_point_has_an_identity_that_says_when_its_rounds_end() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"rounds": 50},
        {"rounds": "auto"},
        {"rounds": "auto", "precision": 0.02},
        {"rounds": "auto", "max_rounds": 40},
        {"rounds": "auto", "max_seconds": 60},
        {"warmup_rounds": 20},
        {"warmup_rounds": "auto"},
        {"warmup_rounds": "auto", "max_warmup_rounds": 10},
        AUTO,
    ]
    identities = [point(**one).point_id for one in changes]
    assert len(set(identities)) == len(changes)
    assert point(rounds="auto", precision=0.05, max_seconds=120.0).point_id == identities[2]


def test_a_phase_alone_finds_what_as_many_rounds_as_auto_may_run_have_stored() -> None:
    stored = point(only="store", rounds=30, warmup_rounds=8).job("a")
    limited = {**AUTO, "max_rounds": 30, "max_warmup_rounds": 8}
    for phase in ("lookup", "load"):
        job = point(only=phase, **limited).job("b")
        assert job.namespace == stored.namespace
        assert job.key_layout.stored == stored.key_layout.stored
    assert point(only="load", **AUTO).job("b").namespace != stored.namespace


@pytest.mark.parametrize(("name", "most"), [("rounds", 50), ("warmup_rounds", 20)])
def test_a_store_alone_needs_a_number(name: str, most: int) -> None:
    assert problem(**{"only": "store", name: "auto"}) == (
        f"{name}=auto: must be a number with only=store; {name}={most} stores what only=lookup or only=load "
        f"with {name}=auto may use"
    )


@pytest.mark.parametrize(
    ("name", "value", "needs"),
    [
        ("precision", 0.01, "rounds"),
        ("max_rounds", 9, "rounds"),
        ("max_seconds", 9, "rounds"),
        ("max_warmup_rounds", 9, "warmup_rounds"),
    ],
)
def test_a_limit_without_auto_is_refused(name: str, value: float, needs: str) -> None:
    assert problem(**{name: value}).endswith(f": needs {needs}=auto")
    assert point(**{name: value, needs: "auto"})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("rounds", "Auto", "an integer from 1 to 1000000, or auto"),
        ("rounds", 0, "an integer from 1 to 1000000, or auto"),
        ("rounds", True, "an integer from 1 to 1000000, or auto"),
        ("rounds", None, "an integer from 1 to 1000000, or auto"),
        ("warmup_rounds", -1, "an integer from 0 to 1000000, or auto"),
        ("precision", "5%", "a number above 0, at most 1"),
        ("precision", 5, "a number above 0, at most 1"),
        ("max_rounds", 5, "an integer from 6 to 10000"),
        ("max_warmup_rounds", 7, "an integer from 8 to 10000"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(name: str, value: Any, allowed: str) -> None:
    assert problem(**{name: value}) == f"{name}={shown(value)}: must be {allowed}"


def test_the_text_of_a_number_of_rounds_is_that_number() -> None:
    assert point(rounds="3").amount.rounds == 3
